#include "diagnosis/spine.h"

#include <algorithm>
#include <cmath>

namespace spinert {
namespace {

constexpr float kNearest = 0.5f, kFurthest = 4.0f;  // neighbour distance of a spine, in median heights
constexpr float kGap = 1.8f;                        // beyond this a vertebra may be missing

float centre_x(const Box& b) {
  return 0.5f * (b[0] + b[2]);
}
float centre_y(const Box& b) {
  return 0.5f * (b[1] + b[3]);
}

float distance(const Vertebra& a, const Vertebra& b) {
  return std::hypot(centre_x(b.box) - centre_x(a.box), centre_y(b.box) - centre_y(a.box));
}

}  // namespace

void order_and_number(std::vector<Vertebra>& vertebrae) {
  std::ranges::stable_sort(vertebrae, [](const Vertebra& a, const Vertebra& b) {
    const float ya = centre_y(a.box), yb = centre_y(b.box);
    return ya != yb ? ya < yb : centre_x(a.box) < centre_x(b.box);
  });
  for (size_t i = 0; i < vertebrae.size(); ++i) vertebrae[i].id = static_cast<int>(i) + 1;
}

float median_height(std::span<const Vertebra> ordered) {
  if (ordered.empty()) return 0;
  std::vector<float> heights;
  for (const Vertebra& v : ordered) heights.push_back(v.box[3] - v.box[1]);
  std::ranges::sort(heights);
  const size_t half = heights.size() / 2;
  return heights.size() % 2 == 1 ? heights[half] : 0.5f * (heights[half - 1] + heights[half]);
}

bool forms_chain(std::span<const Vertebra> ordered) {
  const float height = median_height(ordered);
  for (size_t i = 1; i < ordered.size(); ++i) {
    const float d = distance(ordered[i - 1], ordered[i]);
    if (!(d >= kNearest * height && d <= kFurthest * height)) return false;  // NaN is no chain
  }
  return true;
}

std::vector<int> gaps(std::span<const Vertebra> ordered) {
  std::vector<int> found;
  const float height = median_height(ordered);
  for (size_t i = 1; i < ordered.size(); ++i) {
    if (distance(ordered[i - 1], ordered[i]) > kGap * height) found.push_back(ordered[i - 1].id);
  }
  return found;
}

void label(Vertebra& vertebra, const ClassifierConfig& classifier) {
  const std::vector<float> thresholds = classifier.threshold_list();
  bool normal = false, disease = false;
  vertebra.labels.clear();
  for (size_t c = 0; c < thresholds.size() && c < vertebra.probabilities.size(); ++c) {
    if (!(vertebra.probabilities[c] >= thresholds[c])) continue;
    vertebra.labels.push_back(classifier.class_names[c]);
    (classifier.class_names[c] == kNormalClass ? normal : disease) = true;
  }
  vertebra.consistency = vertebra.labels.empty() ? "none" : normal && disease ? "contradictory" : "ok";
}

void judge(SliceResult& slice, const PipelineConfig& config) {
  const auto add = [&](std::string code, std::string text) {
    slice.reasons.push_back({std::move(code), std::move(text)});
  };
  const auto count = static_cast<int64_t>(slice.vertebrae.size());
  if (slice.status == "completed" && count < config.diagnosis.min_vertebrae) {
    slice.status = "indeterminate";
    slice.error = count == 0 ? ErrorId::E_NO_VERTEBRA : ErrorId::E_COVERAGE;
    add(std::string(error_name(slice.error)), std::to_string(count) + " of at least " +
                                                  std::to_string(config.diagnosis.min_vertebrae) +
                                                  " vertebrae found: this is no negative result");
  }
  if (slice.status == "completed" && !forms_chain(slice.vertebrae)) {
    slice.status = "indeterminate";
    slice.error = ErrorId::E_COVERAGE;
    add("E_COVERAGE", "the boxes do not form a spine: neighbours must be 0.5 to 4 box heights apart");
  }
  bool disease = false, unlabelled = false, missing = false;
  for (const Vertebra& v : slice.vertebrae) {
    const auto is_disease = [](const std::string& name) { return name != kNormalClass; };
    disease = disease || std::ranges::any_of(v.labels, is_disease);
    if (v.consistency == "contradictory") {
      add("contradictory", "vertebra " + std::to_string(v.id) + " is labelled normal and with a disease");
    }
    if (v.consistency == "none") {
      unlabelled = true;
      add("unlabelled", "vertebra " + std::to_string(v.id) + " has no label at its thresholds");
    }
  }
  for (const int id : gaps(slice.vertebrae)) {
    missing = true;
    add("gap", "a vertebra may be missing between " + std::to_string(id) + " and " + std::to_string(id + 1));
  }
  const bool cut =
      std::ranges::any_of(slice.reasons, [](const Reason& r) { return r.code == "cropped" || r.code == "capped"; });
  const bool doubt = unlabelled || cut || missing || slice.status != "completed";
  slice.alert = disease ? "positive" : doubt ? "review" : "negative";
}

}  // namespace spinert
