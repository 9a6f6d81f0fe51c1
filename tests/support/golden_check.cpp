#include "tests/support/golden_check.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <sstream>

namespace spinert::golden {
namespace {

using nlohmann::json;

// Two float32 implementations that sum in different orders. Each layer adds a relative error of about 1e-6 of the
// largest value; forty layers in a row stay below this. A dropped tap or a swapped channel is off by more than 1e-2.
constexpr double kStageTolerance = 5e-5;
// Box corners in pixels: the deltas' error times a box of some hundred pixels.
constexpr double kBoxTolerance = 5e-3;
// Acceptance of DESIGN section 3 for the final numbers.
constexpr double kFinalTolerance = 1e-4;

// Our row for each of the first golden proposals: the row whose box is nearest. Rows of equal score may change places.
std::vector<int64_t> match_rows(const json& golden_boxes, const Tensor& boxes) {
  std::vector<int64_t> rows;
  for (const json& box : golden_boxes) {
    int64_t best = -1;
    double nearest = 1e30;
    for (int64_t r = 0; r < boxes.rows(); ++r) {
      double distance = 0;
      for (int d = 0; d < 4; ++d) {
        distance = std::max(distance, std::abs(double(boxes.f32()[r * 4 + d]) - box[size_t(d)].get<double>()));
      }
      if (distance < nearest) {
        nearest = distance;
        best = r;
      }
    }
    rows.push_back(best);
  }
  return rows;
}

struct StageResult {
  bool ok = true;
  double worst = 0;  // largest difference over the stage's scale
  std::string text;
};

// rows: empty, or our row for each golden row.
StageResult check_stage(const json& stage, const Tensor& got, const std::vector<int64_t>& rows) {
  StageResult result;
  const std::string name = stage["stage"];
  const bool is_box = name == "proposals" || name == "boxes";
  const double scale = is_box ? kBoxTolerance / kStageTolerance : std::max(1e-3, stage["max_abs"].get<double>());
  const int64_t row_size = got.shape.elements() / std::max<int64_t>(1, got.shape[0]);
  for (size_t i = 0; i < stage["positions"].size(); ++i) {
    int64_t position = stage["positions"][i];
    if (!rows.empty()) position = rows[size_t(position / row_size)] * row_size + position % row_size;
    if (position < 0 || position >= got.elements()) return {false, 1e30, name + ": position outside the tensor"};
    const double want = stage["values"][i], value = double(got.f32()[position]);
    const double error = std::abs(value - want) / scale;
    result.worst = std::max(result.worst, error);
    if (result.ok && !(error <= kStageTolerance)) {
      std::ostringstream text;
      text << "stage " << name << " at flat position " << position << " of " << to_string(got.shape) << ": torchvision "
           << want << ", got " << value << ", difference " << std::abs(value - want) << ", allowed "
           << scale * kStageTolerance;
      result.ok = false;
      result.text = text.str();
    }
  }
  return result;
}

// Runs a plan node by node and checks each stage right after the node that computes it, before its memory is reused.
// Returns the worst relative difference; stops at the first stage that diverges.
double run_and_check(Plan& plan, const json& stages, const json& proposals) {
  double worst = 0;
  std::vector<int64_t> rows;
  size_t checked = 0;
  for (size_t n = 0; n < plan.nodes().size(); ++n) {
    const NodeInfo& node = plan.nodes()[n];
    if (node.constant) continue;
    const Status ran = plan.run_node(n);
    EXPECT_TRUE(ran.ok()) << ran.to_string();
    if (node.outputs[0] == "proposals") rows = match_rows(proposals, plan.value("proposals"));
    for (const std::string& output : node.outputs) {
      for (const json& stage : stages) {
        std::string name = stage["stage"];
        if (name == "fpn.inner.3") name = "fpn.lateral.3";  // nothing is merged at the coarsest level
        if (name != output) continue;
        const bool by_row = name == "proposals" || name == "roi" || name.starts_with("head.");
        const StageResult result = check_stage(stage, plan.value(output), by_row ? rows : std::vector<int64_t>());
        EXPECT_TRUE(result.ok) << result.text;
        if (!result.ok) return result.worst;
        worst = std::max(worst, result.worst);
        ++checked;
      }
    }
  }
  EXPECT_EQ(checked, stages.size()) << "a stage of the golden file was never computed";
  return worst;
}

}  // namespace

std::string read_text(const std::string& path) {
  std::string text;
  gzFile file = gzopen(path.c_str(), "rb");
  EXPECT_NE(file, nullptr) << path;
  char part[65536];
  for (int got = 1; file != nullptr && got > 0;) {
    got = gzread(file, part, sizeof part);
    if (got > 0) text.append(part, static_cast<size_t>(got));
  }
  if (file != nullptr) gzclose(file);
  return text;
}

json load(const std::string& path) {
  auto parsed = parse_json(read_text(path), ErrorId::E_INTERNAL, path);
  EXPECT_TRUE(parsed.ok()) << parsed.status().to_string();
  return parsed.ok() ? parsed.value() : json();
}

void check_slice(Pipeline& pipeline, const std::string& pictures, const json& slice, size_t classified, Worst& worst) {
  const std::string source = slice["source"];
  SCOPED_TRACE(source);
  const auto picture = read_picture(pictures + "/" + source);
  ASSERT_TRUE(picture.ok()) << picture.status().to_string();
  ASSERT_EQ(picture.value().sha256, slice["sha256"].get<std::string>());

  // End to end first: it also fills the canvas of both graphs.
  const SliceResult result = pipeline.diagnose(picture.value(), source);
  ASSERT_EQ(result.vertebrae.size(), slice["vertebrae"].size());
  for (size_t v = 0; v < result.vertebrae.size(); ++v) {
    const json& want = slice["vertebrae"][v];
    const Vertebra& got = result.vertebrae[v];
    for (size_t d = 0; d < 4; ++d) EXPECT_NEAR(got.box[d], want["box"][d].get<double>(), kBoxTolerance);
    worst.score = std::max(worst.score, std::abs(double(got.score) - want["score"].get<double>()));
    for (size_t c = 0; c < got.probabilities.size(); ++c) {
      const double p = want["probabilities"][c];
      worst.probability = std::max(worst.probability, std::abs(double(got.probabilities[c]) - p));
    }
  }
  EXPECT_LE(worst.score, kFinalTolerance);
  EXPECT_LE(worst.probability, kFinalTolerance);

  worst.detector = std::max(worst.detector,
                            run_and_check(*pipeline.engine().plan("detector"), slice["detector"], slice["proposals"]));
  Plan& classifier = *pipeline.engine().plan("classifier");
  const auto rows = std::min<size_t>(classified, slice["vertebrae"].size());
  const Tensor boxes = classifier.tensor("boxes");
  ASSERT_LE(static_cast<int64_t>(rows), boxes.shape[0]);
  *classifier.tensor("count").i32() = static_cast<int32_t>(rows);
  for (size_t v = 0; v < rows; ++v) {
    for (size_t d = 0; d < 4; ++d) {
      const double on_canvas = slice["vertebrae"][v]["box"][d].get<double>() + slice["offset"][d % 2].get<double>();
      boxes.f32()[v * 4 + d] = static_cast<float>(on_canvas);
    }
  }
  worst.classifier = std::max(worst.classifier, run_and_check(classifier, slice["classifier"], json::array()));
}

}  // namespace spinert::golden
