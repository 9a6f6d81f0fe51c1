#include "diagnosis/evaluation/gallery.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/images/png_write.h"

namespace spinert::evaluation {
namespace {

constexpr double kSurroundings = 2.6;                  // side of the crop over the longer side of the box
constexpr double kLeastCrop = 96, kLargestCrop = 512;  // pixels

// How far the probabilities are from the truth at worst.
double distance(const FoundVertebra& found, LabelSet truth) {
  double worst = 0;
  for (size_t c = 0; c < found.probabilities.size(); ++c) {
    worst = std::max(worst, std::abs((has_class(truth, c) ? 1.0 : 0.0) - found.probabilities[c]));
  }
  return worst;
}

const Rect& box_of(const ErrorCase& error, const SliceOutcome& outcome) {
  if (error.truth != kNoMatch) return outcome.truth->vertebrae[static_cast<size_t>(error.truth)].box;
  return outcome.vertebra(error.found).box;
}

void cut(ErrorCase& error, const Rect& box, const Picture& picture, const std::vector<float>& grey) {
  const double side = std::max(kLeastCrop, kSurroundings * std::max(box.x2 - box.x1, box.y2 - box.y1));
  const auto place = [side](double low, double high, int64_t extent, int64_t& begin, int64_t& length) {
    length = std::min<int64_t>(extent, std::llround(std::min(side, kLargestCrop)));
    begin = std::clamp<int64_t>(std::llround((low + high - static_cast<double>(length)) / 2), 0, extent - length);
  };
  place(box.x1, box.x2, picture.width, error.left, error.width);
  place(box.y1, box.y2, picture.height, error.top, error.height);
  std::vector<uint8_t> pixels;
  for (int64_t y = error.top; y < error.top + error.height; ++y) {
    for (int64_t x = error.left; x < error.left + error.width; ++x) {
      const float value = grey[static_cast<size_t>(y * picture.width + x)];
      pixels.push_back(static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 255.0f))));
    }
  }
  auto png = encode_png_grey(static_cast<int>(error.width), static_cast<int>(error.height), pixels);
  if (png.ok()) error.png = std::move(png).value();
}

}  // namespace

std::vector<ErrorCase> worst_errors(const Evaluation& evaluation, size_t most) {
  std::vector<ErrorCase> errors;
  const LabelSet diseases = evaluation.diseases;
  for (size_t o = 0; o < evaluation.outcomes.size(); ++o) {
    const SliceOutcome& outcome = evaluation.outcomes[o];
    for (size_t t = 0; outcome.usable && t < outcome.found_of.size(); ++t) {
      const LabelSet truth = outcome.truth->vertebrae[t].labels;
      const bool diseased = (truth & diseases) != 0;
      const int found = outcome.found_of[t];
      ErrorCase error{ErrorCase::Kind::missed, o, static_cast<int>(t), found, diseased ? 4.0 : 2.0, 0, 0, 0, 0, {}};
      if (found != kNoMatch) {
        const FoundVertebra& vertebra = outcome.vertebra(found);
        if (vertebra.labels == truth) continue;
        const bool said = (vertebra.labels & diseases) != 0;
        error.kind = ErrorCase::Kind::wrong_labels;
        error.severity = distance(vertebra, truth) + (diseased && !said ? 3 : diseased != said ? 1 : 0);
      }
      errors.push_back(std::move(error));
    }
    for (const int f : outcome.false_found) {
      const FoundVertebra& vertebra = outcome.vertebra(f);
      const double severity = vertebra.score + ((vertebra.labels & diseases) != 0 ? 1 : 0);
      errors.push_back({ErrorCase::Kind::false_box, o, kNoMatch, f, severity, 0, 0, 0, 0, {}});
    }
  }
  std::ranges::stable_sort(errors, [](const ErrorCase& a, const ErrorCase& b) { return a.severity > b.severity; });
  if (errors.size() > most) errors.resize(most);
  return errors;
}

void add_pictures(std::vector<ErrorCase>& errors, const Evaluation& evaluation, const PictureFinder& find,
                  const std::optional<HuWindow>& window) {
  for (ErrorCase& error : errors) {
    const SliceOutcome& outcome = evaluation.outcomes[error.outcome];
    const std::string path = find(outcome);
    if (path.empty()) continue;
    const auto picture = read_picture(path);
    if (!picture.ok() || picture.value().sha256 != outcome.found->sha256) continue;
    cut(error, box_of(error, outcome), picture.value(), to_grey(picture.value(), window));
  }
}

}  // namespace spinert::evaluation
