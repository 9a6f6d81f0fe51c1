// The tight canvas: the window of a slice as a pure function, graphs in another size, and the reduced model on windows
// of several sizes: as the reference, the same bytes whatever was looked at before, errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "diagnosis/verify.h"
#include "graph/resize.h"
#include "kernels/anchors/anchors.h"
#include "kernels/place/place.h"
#include "kernels/registry.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

// The margin is 128 on each side: windows of small slices are 320 or 384, three classes along each axis.
constexpr int kSide = 448;

std::string make_model(const std::string& name, int canvas, const std::string& place) {
  auto made = reduced::make(testing::TempDir() + "/" + name, reduced::kSeed, reduced::config_text(canvas, place));
  EXPECT_TRUE(made.ok()) << made.status().to_string();
  return made.ok() ? made.value() : std::string();
}

const std::string& model_path() {
  static const std::string path = make_model("spinert_test_tight", kSide, "");
  return path;
}

std::unique_ptr<Pipeline> open(const PipelineOptions& options) {
  auto pipeline = Pipeline::open(options);
  EXPECT_TRUE(pipeline.ok()) << pipeline.status().to_string();
  return pipeline.ok() ? std::move(pipeline).value() : nullptr;
}

PipelineOptions tight(const std::string& isa, int threads, int batch) {
  return {.model = model_path(),
          .engine = {.device = "cpu", .isa = isa, .threads = threads},
          .batch = batch,
          .canvas = CanvasMode::tight};
}

std::string bits(const SliceResult& slice) {
  std::string text = slice.status + slice.alert;
  const auto put = [&](float v) {
    char raw[sizeof v];
    std::memcpy(raw, &v, sizeof v);
    text.append(raw, sizeof v);
  };
  for (const Candidate& c : slice.candidates) {
    for (const float x : c.box) put(x);
    put(c.score);
  }
  for (const Vertebra& v : slice.vertebrae) std::ranges::for_each(v.probabilities, put);
  return text;
}

TEST(Canvas, WindowOfASlice) {
  struct Row {
    int64_t extent, size, begin, length;
  };
  const Row rows[] = {
      {0, 1024, 384, 256},  {1, 1024, 352, 320},   {64, 1024, 352, 320},  {65, 1024, 320, 384},
      {619, 1024, 64, 896}, {640, 1024, 64, 896},  {641, 1024, 32, 960},  {704, 1024, 32, 960},
      {705, 1024, 0, 1024}, {1024, 1024, 0, 1024}, {1025, 1024, 0, 1024}, {int64_t{1} << 31, 1024, 0, 1024},
      {1, 128, 0, 128},     {1, 64, 0, 64},        {30, 448, 64, 320},    {100, 448, 32, 384},
  };
  for (const Row& r : rows) {
    const Window high = detector_window(CanvasMode::tight, r.extent, 1, r.size);
    const Window wide = detector_window(CanvasMode::tight, 1, r.extent, r.size);
    EXPECT_EQ(high.top, r.begin) << r.extent << " on " << r.size;
    EXPECT_EQ(high.height, r.length) << r.extent << " on " << r.size;
    EXPECT_EQ(wide.left, high.top) << "the axes do not differ";
    EXPECT_EQ(wide.width, high.height) << "the axes do not differ";
    EXPECT_EQ(detector_window(CanvasMode::fixed, r.extent, 1, r.size), (Window{0, 0, r.size, r.size}));
  }
  for (int64_t extent = 1; extent < 1100; ++extent) {
    const Window w = detector_window(CanvasMode::tight, extent, extent, 1024);
    const int64_t first = std::max<int64_t>(0, canvas_shift(extent, 1024)),
                  last = first + std::min<int64_t>(extent, 1024);
    EXPECT_EQ(w.height % kCanvasStep, 0);
    EXPECT_LE(w.height, 1024);
    EXPECT_LE(w.top, std::max<int64_t>(0, first - kCanvasMargin)) << extent;
    EXPECT_GE(w.top + w.height, std::min<int64_t>(1024, last + kCanvasMargin)) << extent;
  }
  EXPECT_EQ(canvas_mode("tight").value(), CanvasMode::tight);
  EXPECT_EQ(canvas_mode("loose").status().id(), ErrorId::E_USAGE);
}

// Anchors on a map whose size does not follow the picture.
Graph small_graph(int64_t side) {
  Graph graph;
  graph.name = "small";
  const int canvas = graph.add_input("canvas", DType::f32, {1, side, side, 1});
  const int map = graph.add(OpId::place, "map", PlaceParams{side / 4}, {canvas}).value();
  (void)graph.add(OpId::anchors, "anchors", AnchorsParams{{32}, {1}}, {canvas, map});
  return graph;
}

TEST(Resized, WhatDoesNotFitIsRefused) {
  // `place` gives a map of one size whatever it reads, so that the stride would change.
  const auto changed = resized(small_graph(256), 128, 128);
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.status().id(), ErrorId::E_MODEL_ARCH);
  EXPECT_NE(changed.status().message().find("strides"), std::string::npos) << changed.status().message();
  EXPECT_TRUE(resized(small_graph(256), 256, 256).ok());
  Graph nothing;
  EXPECT_EQ(resized(nothing, 64, 64).status().id(), ErrorId::E_MODEL_ARCH);
}

TEST(Tight, SizesThatNoStrideDividesAreRefused) {
  const std::string model = make_model("spinert_test_tight_96", 96, "");
  const auto pipeline = Pipeline::open({.model = model, .engine = {.device = "cpu"}, .canvas = CanvasMode::tight});
  ASSERT_FALSE(pipeline.ok());
  EXPECT_EQ(pipeline.status().id(), ErrorId::E_MODEL_ARCH);
  EXPECT_TRUE(Pipeline::open({.model = model, .engine = {.device = "cpu"}}).ok());
}

TEST(Tight, FastBackendsComputeWhatTheReferenceComputes) {
  VerifyOptions options;
  options.model = model_path();
  options.levels = {"scalar"};
  if (cpu_features().best > Level::scalar) options.levels.emplace_back(level_name(cpu_features().best));
  options.threads = 2;
  options.canvas = CanvasMode::tight;
  const NamedPicture inputs[] = {{"low", reduced::picture(60, 120, 3)}, {"high", reduced::picture(120, 60, 4)}};
  const auto report = verify(options, inputs);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  for (const LevelReport& level : report.value().levels) {
    EXPECT_TRUE(level.breach.ok()) << level.breach.to_string();
    EXPECT_GT(level.global.vertebrae, 0) << "nothing was compared";
  }
}

TEST(Tight, TheDetectorSeesTheWindow) {
  const auto pipeline = open(tight("", 1, 2));
  ASSERT_TRUE(pipeline);
  EXPECT_EQ(pipeline->canvas(), CanvasMode::tight);
  const SliceResult slice = pipeline->diagnose(reduced::picture(60, 120, 3), "slice");
  EXPECT_EQ(pipeline->plan("detector").tensor("canvas").shape, (Shape{1, 320, 384, 1}));
  ASSERT_FALSE(slice.candidates.empty());
  // Boxes are clipped to the window: 320 rows about the 60 of the slice, 384 columns about its 120.
  for (const Candidate& c : slice.candidates) {
    EXPECT_GE(c.box[0], -132) << "left";
    EXPECT_GE(c.box[1], -130) << "top";
    EXPECT_LE(c.box[2], 252) << "right";
    EXPECT_LE(c.box[3], 190) << "bottom";
  }
  const auto fixed = open({.model = model_path(), .engine = {.device = "cpu", .threads = 1}});
  ASSERT_TRUE(fixed);
  EXPECT_NE(bits(fixed->diagnose(reduced::picture(60, 120, 3), "slice")), bits(slice)) << "not the same arithmetic";
  EXPECT_EQ(fixed->plan("detector").tensor("canvas").shape, (Shape{1, kSide, kSide, 1}));
}

// Another model file with the same weights and a canvas of the window's size computes the same boxes to the last bit:
// anchors, scales and clipping are those of a graph that was made for this size.
TEST(Tight, AWindowIsTheFixedCanvasOfItsSize) {
  const auto narrow = open(tight("", 2, 2));
  const std::string model = make_model("spinert_test_tight_320", 320, "");
  const auto fixed = open({.model = model, .engine = {.device = "cpu"}});
  ASSERT_TRUE(narrow && fixed);
  const Picture picture = reduced::picture(60, 60, 5);
  (void)narrow->diagnose(reduced::picture(120, 60, 6), "another size before");
  const SliceResult got = narrow->diagnose(picture, "slice"), want = fixed->diagnose(picture, "slice");
  ASSERT_EQ(got.candidates.size(), want.candidates.size());
  ASSERT_FALSE(got.candidates.empty());
  for (size_t i = 0; i < got.candidates.size(); ++i) {
    EXPECT_EQ(got.candidates[i].box, want.candidates[i].box) << i;
    EXPECT_EQ(got.candidates[i].score, want.candidates[i].score) << i;
  }
}

// Where the window is the whole canvas, tight and fixed are one.
TEST(Tight, AWholeWindowIsTheFixedCanvas) {
  const auto narrow = open(tight("", 2, 2)), whole = open({.model = model_path(), .engine = {.device = "cpu"}});
  ASSERT_TRUE(narrow && whole);
  const Picture picture = reduced::picture(400, 400, 5);
  (void)narrow->diagnose(reduced::picture(60, 60, 6), "another size before");
  EXPECT_EQ(bits(narrow->diagnose(picture, "slice")), bits(whole->diagnose(picture, "slice")));
}

// More sizes than plans are kept, in several orders, with any number of threads and batch: one value for each slice.
TEST(Tight, SameBytesForOrderThreadsAndBatch) {
  std::vector<Picture> pictures;
  for (const int height : {30, 100, 200}) {
    for (const int width : {30, 100, 200}) pictures.push_back(reduced::picture(height, width, 7));
  }
  std::vector<std::string> want;
  for (const Picture& picture : pictures) {
    const auto fresh = open(tight("", 1, 1));
    ASSERT_TRUE(fresh);
    want.push_back(bits(fresh->diagnose(picture, "slice")));
  }
  for (const int threads : {1, 3}) {
    const auto pipeline = open(tight("", threads, threads + 1));
    ASSERT_TRUE(pipeline);
    for (const size_t step : {1, 4, 2}) {  // each reaches all nine
      for (size_t i = 0; i < pictures.size(); ++i) {
        const size_t n = i * step % pictures.size();
        EXPECT_EQ(bits(pipeline->diagnose(pictures[n], "slice")), want[n]) << "slice " << n << ", threads " << threads;
      }
    }
  }
}

// The config of the model decides where the caller says nothing.
TEST(Tight, TheConfigDecides) {
  const std::string model = make_model("spinert_test_tight_config", 320, R"({"canvas":"tight"})");
  const auto pipeline = open({.model = model, .engine = {.device = "cpu"}});
  ASSERT_TRUE(pipeline);
  EXPECT_EQ(pipeline->canvas(), CanvasMode::tight);
  const auto fixed = open({.model = model, .engine = {.device = "cpu"}, .canvas = CanvasMode::fixed});
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->canvas(), CanvasMode::fixed);
}

TEST(Tight, OtherSizesAreRefused) {
  auto engine = Engine::open(model_path(), {.device = "cpu", .size_steps = {{"detector", 64}}});
  ASSERT_TRUE(engine.ok()) << engine.status().to_string();
  for (const auto& [height, width] : {std::pair<int64_t, int64_t>{0, 64}, {64, 65}, {512, 64}, {-64, 64}, {32, 64}}) {
    EXPECT_EQ(engine.value()->sized_plan("detector", height, width).status().id(), ErrorId::E_USAGE) << height;
  }
  EXPECT_EQ(engine.value()->sized_plan("classifier", 64, 64).status().id(), ErrorId::E_USAGE);
  EXPECT_EQ(engine.value()->sized_plan("detector", kSide, 64).status().id(), ErrorId::OK);
  EXPECT_EQ(Engine::open(model_path(), {.device = "cpu", .size_steps = {{"detector", 0}}}).status().id(),
            ErrorId::E_USAGE);
  EXPECT_EQ(Engine::open(model_path(), {.device = "cpu", .size_steps = {{"none", 64}}}).status().id(),
            ErrorId::E_MODEL_ARCH);
}

// Weights are there once: the memory of a tight engine is that of a fixed one where every size takes the same kernels.
TEST(Tight, SizesShareWeightsAndMemory) {
  auto fixed = Engine::open(model_path(), {.device = "cpu", .isa = "scalar", .threads = 1});
  auto sized =
      Engine::open(model_path(), {.device = "cpu", .isa = "scalar", .threads = 1, .size_steps = {{"detector", 64}}});
  ASSERT_TRUE(fixed.ok() && sized.ok());
  EXPECT_EQ(sized.value()->memory().total(), fixed.value()->memory().total());
}

const Kernel* scalar_conv() {
  for (const KernelInfo& row : all_kernels()) {
    if (std::string(row.name) == "conv2d_igemm_2x4_scalar") return row.kernel;
  }
  return nullptr;
}

const char* only_large_maps(const OpCall& call) {
  return call.in[0].shape[1] >= kSide / 4 ? nullptr : "a small map";
}

// A kernel that suits the whole canvas only: the smaller sizes want another form of its weights, which nobody needs on
// the whole canvas.
TEST(Tight, FormsOfWeightsThatOnlySmallSizesNeed) {
  const Picture picture = reduced::picture(100, 100, 7);
  const auto plain = open(tight("scalar", 1, 2));
  ASSERT_TRUE(plain);
  const std::string want = bits(plain->diagnose(picture, "slice"));
  static Kernel large = *scalar_conv();
  large.rejects = only_large_maps;
  static const KernelInfo row{OpId::conv2d, Backend::cpu, Level::scalar, "conv2d_large_maps_scalar", &large};
  plant_kernel_for_tests(&row);
  {
    const auto planted = open(tight("scalar", 1, 2));
    ASSERT_TRUE(planted);
    EXPECT_GT(planted->engine().memory().weights, plain->engine().memory().weights) << "no size had its own form";
    EXPECT_EQ(bits(planted->diagnose(picture, "slice")), want);
  }
  clear_planted_kernels_for_tests();
}

}  // namespace
}  // namespace spinert
