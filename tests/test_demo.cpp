// The demo model at full size: it finds the vertebrae of the example slices and labels them, gives the same bytes for
// other threads and batches, and never calls a picture without a spine negative.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>

#include "config/json.h"
#include "diagnosis/pipeline.h"
#include "tests/ops/op_case.h"

namespace spinert {
namespace {

using nlohmann::json;

const std::string kTree = SPINERT_SOURCE_DIR;

std::unique_ptr<Pipeline> open_demo(int threads, int batch) {
  PipelineOptions options;
  options.model = kTree + "/models/spine-demo.safetensors";
  options.engine.device = "cpu";
  options.engine.threads = threads;
  options.batch = batch;
  auto pipeline = Pipeline::open(options);
  EXPECT_TRUE(pipeline.ok()) << pipeline.status().to_string();
  return pipeline.ok() ? std::move(pipeline).value() : nullptr;
}

// Intersection over the smaller area, the paper's measure of a match.
double iom(const Box& a, const Box& b) {
  const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]), h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  const double smaller = std::min((a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1]));
  return w * h / smaller;
}

TEST(Demo, FindsAndLabelsTheVertebraeOfTheExamples) {
  std::ifstream file(kTree + "/examples/truth.json");
  std::stringstream text;
  text << file.rdbuf();
  const auto parsed = parse_json(text.str(), ErrorId::E_INTERNAL, "truth.json");
  ASSERT_TRUE(parsed.ok()) << parsed.status().to_string();
  const json& truth = parsed.value();
  const auto pipeline = open_demo(0, 2);
  ASSERT_TRUE(pipeline);

  int vertebrae = 0, found = 0, false_boxes = 0, labels_right = 0, labels = 0;
  for (const json& image : truth["images"]) {
    const auto picture = read_picture(kTree + "/examples/" + image["file_name"].get<std::string>());
    ASSERT_TRUE(picture.ok()) << picture.status().to_string();
    const SliceResult slice = pipeline->diagnose(picture.value(), image["file_name"]);
    EXPECT_EQ(slice.status, "completed");
    std::vector<bool> used(slice.vertebrae.size(), false);
    for (const json& annotation : truth["annotations"]) {
      if (annotation["image_id"] != image["id"]) continue;
      ++vertebrae;
      const auto& b = annotation["bbox"];  // x, y, width, height
      const float x = b[0], y = b[1], w = b[2], h = b[3];
      for (size_t v = 0; v < slice.vertebrae.size(); ++v) {
        if (used[v] || iom(slice.vertebrae[v].box, {x, y, x + w, y + h}) <= 0.5) continue;
        used[v] = true;
        ++found;
        std::vector<std::string> want = annotation["labels"], got = slice.vertebrae[v].labels;
        std::ranges::sort(want);
        std::ranges::sort(got);
        ++labels;
        labels_right += want == got;
        break;
      }
    }
    for (const bool u : used) false_boxes += !u;
  }
  std::printf("demo: %d of %d vertebrae found, %d false, all labels right for %d of %d\n", found, vertebrae,
              false_boxes, labels_right, labels);
  EXPECT_GE(found, 0.95 * vertebrae);
  EXPECT_LE(false_boxes, 0.05 * vertebrae);
  EXPECT_GE(labels_right, 0.8 * labels);
}

std::string bits(const SliceResult& slice) {
  std::ostringstream text;
  text << std::hexfloat << slice.status << slice.alert;
  for (const Vertebra& v : slice.vertebrae) {
    for (const float x : v.box) text << ' ' << x;
    for (const float x : v.probabilities) text << ' ' << x;
    text << ' ' << v.score;
  }
  for (const Candidate& c : slice.candidates) text << ' ' << c.score << ' ' << c.box[0];
  return text.str();
}

// DT-2 at full size: threads 1 and 3, batch 1 and 2, once.
TEST(Demo, SameBytesForThreadsAndBatch) {
  const auto picture = read_picture(kTree + "/examples/slice_014.png");
  ASSERT_TRUE(picture.ok());
  std::string want;
  for (const auto& [threads, batch] : {std::pair{1, 1}, {3, 2}, {3, 1}, {1, 2}}) {
    const auto pipeline = open_demo(threads, batch);
    ASSERT_TRUE(pipeline);
    const std::string got = bits(pipeline->diagnose(picture.value(), "slice"));
    if (want.empty()) want = got;
    EXPECT_EQ(got, want) << "threads " << threads << " batch " << batch;
  }
}

Picture blank(int width, int height) {
  Picture picture;
  picture.width = width;
  picture.height = height;
  picture.value.assign(static_cast<size_t>(width * height), 0);
  return picture;
}

// A view that a camera could have taken: sky with a sun, hills, a house with rows of windows (upright rectangles in a
// column, the nearest thing to a spine that a street has to offer), grain.
Picture landscape() {
  Picture picture = blank(800, 600);
  for (int y = 0; y < 600; ++y) {
    for (int x = 0; x < 800; ++x) {
      double grey = 210 - y * 0.15;
      if (std::hypot(x - 620, y - 110) < 50) grey = 250;
      const double hills = 330 + 40 * std::sin(x * 0.011) + 18 * std::sin(x * 0.037 + 1);
      if (y > hills) grey = 120 - 0.1 * (y - hills) + 10 * std::sin(x * 0.21) * std::sin(y * 0.17);
      if (x > 180 && x < 420 && y > 200 && y < 520) {
        grey = 165;
        const bool window = (x - 180) % 60 > 18 && (x - 180) % 60 < 46 && (y - 200) % 64 > 16 && (y - 200) % 64 < 50;
        if (window) grey = 60 + (x + y) % 17;
      }
      const double grain = static_cast<double>(cases::random_bits(9, static_cast<uint64_t>(y * 800 + x)) % 13) - 6;
      picture.value[static_cast<size_t>(y * 800 + x)] = static_cast<uint16_t>(std::clamp(grey + grain, 0.0, 255.0));
    }
  }
  return picture;
}

// Grey of bone at a signed depth below its surface, in pixels: a bright rim of three pixels, darker marrow.
double bone(double depth, double around) {
  return depth < 0 ? around : depth < 3 ? 225 : 140;
}

// How deep a place lies in an ellipse, about.
double in_ellipse(double x, double y, double cx, double cy, double rx, double ry) {
  return (1 - std::hypot((x - cx) / rx, (y - cy) / ry)) * std::min(rx, ry);
}

Picture drawn(int width, int height, const std::function<double(double, double)>& grey) {
  Picture picture = blank(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const size_t at = static_cast<size_t>(y * width + x);
      const double grain = static_cast<double>(cases::random_bits(10, at) % 17) - 8;
      picture.value[at] = static_cast<uint16_t>(std::clamp(grey(x, y) + grain, 0.0, 255.0));
    }
  }
  return picture;
}

// A knee from the side: four bones with rims, none over the other like vertebrae, in soft tissue and air.
Picture knee() {
  return drawn(512, 640, [](double x, double y) {
    double grey = std::abs(x - 256 + 10 * std::sin(y * 0.01)) < 150 ? 62 : 0;
    grey = bone(std::min(38 - std::abs(x - 240 - 0.05 * y), 300 - y), grey);          // femur
    grey = std::max(grey, bone(in_ellipse(x, y, 262, 285, 78, 55), 0));               // its condyle
    grey = bone(in_ellipse(x, y, 140, 250, 22, 42), grey);                            // kneecap
    grey = bone(std::min(34 + 1500 / (y - 310) - std::abs(x - 258), y - 356), grey);  // tibia
    return y > 380 ? bone(std::min(10 - std::abs(x - 330), y - 400), grey) : grey;    // fibula
  });
}

// A chest from the front: dark lungs crossed by ribs, heart and belly, and the shadow of a spine behind them.
Picture chest() {
  return drawn(800, 760, [](double x, double y) {
    const double side = std::abs(x - 400);
    double grey = in_ellipse(x, y, 400, 420, 380, 470) > 0 ? 120 : 10;
    const bool lung = in_ellipse(x, y, x < 400 ? 235 : 565, 360, 130, 270) > 0;
    if (lung) grey = 45;
    const double rib = std::fmod(y + 0.0011 * (side - 60) * (side - 60) + 900, 62);
    if (side > 40 && side < 330 && y < 620 && rib < 16) grey += rib < 3 || rib > 13 ? 45 : 28;
    if (in_ellipse(x, y, 455, 470, 120, 110) > 0) grey = std::max(grey, 150.0);
    if (y > 600 + 0.001 * side * side) grey = 165;
    if (side < 26) grey += std::fmod(y, 44) < 6 ? -4 : 14;
    return grey;
  });
}

// BI-18, BI-21: what shows no spine ends in "indeterminate", never in "negative".
TEST(Demo, PicturesWithoutASpineAreIndeterminate) {
  const auto pipeline = open_demo(0, 2);
  ASSERT_TRUE(pipeline);
  Picture noise = blank(700, 700), constant = blank(512, 512);
  for (size_t i = 0; i < noise.value.size(); ++i)
    noise.value[i] = static_cast<uint16_t>(cases::random_bits(4, i) % 256);
  for (uint16_t& v : constant.value) v = 128;
  const std::pair<const char*, Picture> pictures[] = {{"black", blank(743, 619)}, {"constant", constant},
                                                      {"noise", noise},           {"landscape", landscape()},
                                                      {"knee", knee()},           {"chest", chest()}};
  for (const auto& [name, picture] : pictures) {
    const SliceResult slice = pipeline->diagnose(picture, name);
    EXPECT_EQ(slice.status, "indeterminate") << name << " with " << slice.vertebrae.size() << " boxes";
    EXPECT_NE(slice.alert, "negative") << name;
    EXPECT_EQ(exit_code(slice.error), 13) << name;
  }
}

}  // namespace
}  // namespace spinert
