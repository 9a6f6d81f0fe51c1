// The runtime on the reduced model: rewrites keep the meaning, every level agrees with the reference, the same bytes
// for any number of threads, batch and repetition, and every error of the public interface.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "diagnosis/pipeline.h"
#include "graph/fusion.h"
#include "kernels/base/compare.h"
#include "kernels/registry.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

// One model for all tests of this program.
const std::string& model_path() {
  static const std::string path = [] {
    auto made = reduced::make(testing::TempDir() + "/spinert_test_engine");
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    return made.ok() ? made.value() : std::string();
  }();
  return path;
}

std::unique_ptr<Engine> open(const EngineOptions& options) {
  auto engine = Engine::open(model_path(), options);
  EXPECT_TRUE(engine.ok()) << engine.status().to_string();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

SliceResult diagnose(const EngineOptions& engine, int batch, uint64_t seed) {
  auto pipeline = Pipeline::open({.model = model_path(), .engine = engine, .batch = batch});
  EXPECT_TRUE(pipeline.ok()) << pipeline.status().to_string();
  if (!pipeline.ok()) return {};
  return pipeline.value()->diagnose(reduced::picture(120, 100, seed), "slice");
}

// Every number of a result, bit for bit.
std::string bits(const SliceResult& slice) {
  std::string text = slice.status + slice.alert;
  const auto put = [&](float v) {
    char raw[sizeof v];
    std::memcpy(raw, &v, sizeof v);
    text.append(raw, sizeof v);
  };
  for (const Vertebra& v : slice.vertebrae) {
    for (const float x : v.box) put(x);
    for (const float x : v.probabilities) put(x);
    put(v.score);
  }
  for (const Candidate& c : slice.candidates) put(c.score);
  for (const Reason& r : slice.reasons) text += r.code + r.text;
  return text;
}

TEST(Engine, FindsSomethingToCompare) {
  const SliceResult slice = diagnose({.device = "cpu", .threads = 1}, 2, 1);
  EXPECT_GE(slice.vertebrae.size(), 3u) << "the reduced model must exercise the classifier";
}

// DT-2: threads x batch x repeats, one value.
TEST(Engine, SameBytesForThreadsBatchAndRepeats) {
  for (const char* isa : {"scalar", ""}) {
    const std::string want = bits(diagnose({.device = "cpu", .isa = isa, .threads = 1}, 1, 7));
    for (const int threads : {1, 2, 3, 7}) {
      for (const int batch : {1, 4, 32}) {
        auto pipeline = Pipeline::open(
            {.model = model_path(), .engine = {.device = "cpu", .isa = isa, .threads = threads}, .batch = batch});
        ASSERT_TRUE(pipeline.ok()) << pipeline.status().to_string();
        for (int repeat = 0; repeat < 3; ++repeat) {
          const SliceResult slice = pipeline.value()->diagnose(reduced::picture(120, 100, 7), "slice");
          EXPECT_EQ(bits(slice), want) << "threads " << threads << " batch " << batch << " repeat " << repeat;
        }
      }
    }
  }
}

// A slice gives the same whether it comes alone or after another one.
TEST(Engine, SlicesDoNotInfluenceEachOther) {
  auto pipeline = Pipeline::open({.model = model_path(), .engine = {.device = "cpu", .threads = 2}, .batch = 2});
  ASSERT_TRUE(pipeline.ok());
  const std::string alone = bits(pipeline.value()->diagnose(reduced::picture(120, 100, 3), "slice"));
  (void)pipeline.value()->diagnose(reduced::picture(200, 70, 4), "other");
  EXPECT_EQ(bits(pipeline.value()->diagnose(reduced::picture(120, 100, 3), "slice")), alone);
}

// Runs both graphs of two engines on the same input and compares their outputs.
void expect_same_outputs(Engine& a, Engine& b, double tolerance) {
  for (const std::string& graph : a.graphs()) {
    Plan &pa = *a.plan(graph), &pb = *b.plan(graph);
    for (Plan* plan : {&pa, &pb}) {
      const Tensor canvas = plan->tensor("canvas");
      const Picture picture = reduced::picture(reduced::kCanvas, reduced::kCanvas, 5);
      for (size_t i = 0; i < picture.value.size(); ++i) canvas.f32()[i] = picture.value[i];
      if (graph == "classifier") {
        *plan->tensor("count").i32() = 2;
        const float boxes[] = {30, 20, 70, 60, 10, 50, 60, 90};
        std::memcpy(plan->tensor("boxes").data, boxes, sizeof boxes);
      }
      ASSERT_TRUE(plan->run().ok());
    }
    for (const char* name : {"boxes", "scores", "count", "probabilities"}) {
      if (graph == "classifier" && std::string(name) != "probabilities") continue;
      const Tensor got = pa.tensor(name), want = pb.tensor(name);
      if (!want.present()) continue;
      // Random weights make large activations; a box corner moves by their rounding times the size of an anchor.
      const bool is_box = std::string(name) == "boxes";
      const Comparison comparison = compare(got, want, {is_box ? 100 * tolerance : tolerance, tolerance});
      EXPECT_GT(comparison.compared, 0) << name;
      EXPECT_TRUE(comparison.ok()) << graph << " " << name << ": " << comparison.describe(want.shape);
    }
  }
}

TEST(Engine, RewritesKeepTheMeaning) {
  const auto fused = open({.device = "reference"}), plain = open({.device = "reference", .fuse = false});
  ASSERT_TRUE(fused && plain);
  EXPECT_LT(fused->plan("detector")->nodes().size(), plain->plan("detector")->nodes().size());
  expect_same_outputs(*fused, *plain, 1e-4);
}

TEST(Engine, EveryLevelAgreesWithTheReference) {
  const auto reference = open({.device = "reference"});
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512}) {
    if (level > cpu_features().best) continue;
    const auto fast = open({.device = "cpu", .isa = std::string(level_name(level)), .threads = 2});
    ASSERT_TRUE(reference && fast);
    expect_same_outputs(*fast, *reference, 1e-4);
  }
}

// Which rewrites must have happened: no batch norm, no relu, no add, no upsampling and no normalisation of its own is
// left.
TEST(Engine, FusionLeavesNoPassOfItsOwn) {
  const auto engine = open({.device = "cpu", .threads = 1});
  ASSERT_TRUE(engine);
  for (const std::string& graph : engine->graphs()) {
    for (const NodeInfo& node : engine->plan(graph)->nodes()) {
      for (const char* op : {"relu", "add", "upsample_nearest2d", "normalise"}) EXPECT_NE(node.op, op) << node.name;
    }
  }
}

// The plain loops of rpn_head are slower than the convolutions that it replaces, so that a graph has it only where a
// fast row takes it or where the caller asks for it.
TEST(Engine, PlainLoopsOfTheHeadOnlyOnRequest) {
  const auto heads = [](const EngineOptions& options) {
    std::vector<std::string> kernels;
    const auto engine = open(options);
    if (!engine) return kernels;
    for (const NodeInfo& node : engine->plan("detector")->nodes()) {
      if (node.op == "rpn_head") kernels.push_back(node.kernel);
    }
    return kernels;
  };
  for (const Level level : cpu_levels()) {
    if (level > cpu_features().best) break;
    for (const std::string& kernel : heads({.device = "cpu", .isa = std::string(level_name(level)), .threads = 1})) {
      EXPECT_NE(kernel, "rpn_head_scalar");
    }
  }
  const std::set<std::string> asked{"detector.rpn_head"};
  EXPECT_EQ(heads({.device = "cpu", .isa = "scalar", .threads = 1, .rewrites = asked}),
            std::vector<std::string>{"rpn_head_scalar"});
  EXPECT_TRUE(heads({.device = "reference", .threads = 1}).empty());
}

TEST(Engine, CancelAndTimeoutStopBetweenNodes) {
  auto pipeline = Pipeline::open({.model = model_path(), .engine = {.device = "cpu", .threads = 1}});
  ASSERT_TRUE(pipeline.ok());
  const std::atomic<int> cancel{2};
  const SliceResult cancelled = pipeline.value()->diagnose(reduced::picture(80, 80, 1), "s", {.cancel = &cancel});
  EXPECT_EQ(cancelled.status, "failed");
  EXPECT_EQ(cancelled.error, ErrorId::E_CANCELLED);
  EXPECT_TRUE(cancelled.vertebrae.empty());
  RunControl late;
  late.deadline = std::chrono::steady_clock::now();
  const SliceResult timeout = pipeline.value()->diagnose(reduced::picture(80, 80, 1), "s", late);
  EXPECT_EQ(timeout.error, ErrorId::E_TIMEOUT);
  // Neither leaves anything behind.
  EXPECT_NE(pipeline.value()->diagnose(reduced::picture(80, 80, 1), "s").status, "failed");
}

TEST(Engine, PublicErrors) {
  struct Row {
    EngineOptions options;
    ErrorId id;
  };
  const Row rows[] = {
      {{.device = "tpu"}, ErrorId::E_USAGE},
      {{.device = "cuda:x"}, ErrorId::E_USAGE},
      {{.device = "cuda"}, ErrorId::E_DEVICE},
      {{.device = "cuda:99"}, ErrorId::E_DEVICE},
      {{.device = "cpu", .isa = "sse9"}, ErrorId::E_USAGE},
      {{.device = "cpu", .precision = "fp64"}, ErrorId::E_USAGE},
      {{.device = "cpu", .isa = "avx2", .precision = "int8"}, ErrorId::E_DEVICE},
      {{.device = "reference", .precision = "int8"}, ErrorId::E_CONFIG},
      {{.device = "cpu", .memory_limit = 1000}, ErrorId::E_OOM_HOST},
      {{.device = "cpu", .model_sha256 = std::string(64, '0')}, ErrorId::E_MODEL_HASH},
  };
  for (const Row& row : rows) {
    const auto engine = Engine::open(model_path(), row.options);
    ASSERT_FALSE(engine.ok()) << row.options.device;
    EXPECT_EQ(engine.status().id(), row.id) << engine.status().to_string();
  }
  EXPECT_EQ(Engine::open("/nonexistent/model").status().id(), ErrorId::E_INPUT_EMPTY);
}

TEST(Engine, PinnedHashOpens) {
  auto engine = open({.device = "cpu", .threads = 1});
  ASSERT_TRUE(engine);
  const auto hash = engine->file_sha256();
  ASSERT_TRUE(hash.ok()) << hash.status().to_string();
  EXPECT_TRUE(Engine::open(model_path(), {.device = "cpu", .model_sha256 = hash.value()}).ok());
}

// NU-01: a non-finite number anywhere ends in "indeterminate", never in an empty slice that looks clean.
struct NonFinite {
  OpId op;  // the operator whose output gets one bad number: in the detector, or at the very end of the classifier
  const char* kernel;
  float value;
};

TEST(Pipeline, NonFiniteNumbersAreIndeterminate) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  const NonFinite rows[] = {{OpId::conv2d_stem, "conv2d_stem_direct_2x4_scalar", kNan},
                            {OpId::conv2d_stem, "conv2d_stem_direct_2x4_scalar", kInf},
                            {OpId::global_average_pool, "global_average_pool_scalar", kNan},
                            {OpId::sigmoid, "sigmoid_scalar", kNan}};
  static const Kernel* original = nullptr;
  static float value = 0;
  for (const NonFinite& bad : rows) {
    value = bad.value;
    for (const KernelInfo& info : all_kernels()) {
      if (std::string(info.name) == bad.kernel) original = info.kernel;
    }
    ASSERT_NE(original, nullptr);
    Kernel broken = *original;
    broken.run = [](const OpCall& call, const RunContext& context) {
      original->run(call, context);
      const int64_t row = call.out[0].elements() / std::max<int64_t>(1, call.out[0].shape[0]);
      call.out[0].f32()[call.out[0].rows() * row / 2] = value;
    };
    const KernelInfo planted{bad.op, Backend::cpu, Level::scalar, "planted_non_finite", &broken};
    plant_kernel_for_tests(&planted);
    const SliceResult slice = diagnose({.device = "cpu", .isa = "scalar", .threads = 1}, 2, 1);
    clear_planted_kernels_for_tests();
    EXPECT_EQ(slice.status, "indeterminate") << bad.kernel;
    EXPECT_EQ(slice.error, ErrorId::E_NONFINITE) << bad.kernel;
    EXPECT_NE(slice.alert, "negative") << bad.kernel;
    EXPECT_TRUE(slice.vertebrae.empty()) << bad.kernel;
  }
}

TEST(Pipeline, ThresholdsWithoutEffectAreRefused) {
  for (const float threshold : {-1.0f, 0.0f, 0.05f, 1.5f, std::numeric_limits<float>::quiet_NaN()}) {
    const auto pipeline =
        Pipeline::open({.model = model_path(), .engine = {.device = "cpu", .threads = 1}, .threshold = threshold});
    ASSERT_FALSE(pipeline.ok()) << threshold;
    EXPECT_EQ(pipeline.status().id(), ErrorId::E_USAGE);
  }
}

// Boxes are placed on the canvas by half the difference of the extents: odd ones, the smallest slice and the longest.
TEST(Pipeline, SlicesOfExtremeShape) {
  auto pipeline = Pipeline::open({.model = model_path(), .engine = {.device = "cpu", .threads = 2}, .batch = 3});
  ASSERT_TRUE(pipeline.ok());
  const int sizes[][2] = {{64, 64}, {65, 127}, {128, 128}, {129, 127}, {8192, 64}, {64, 8192}};
  for (const auto& [height, width] : sizes) {
    const SliceResult slice = pipeline.value()->diagnose(reduced::picture(height, width, 2), "s");
    EXPECT_NE(slice.status, "failed") << height << " x " << width;
    // Every box lies on the canvas, in the coordinates of the slice.
    const auto offset = [](int extent) {
      return extent < reduced::kCanvas ? -((reduced::kCanvas - extent) / 2) : (extent - reduced::kCanvas) / 2;
    };
    for (const Candidate& c : slice.candidates) {
      for (const size_t corner : {size_t{0}, size_t{2}}) {
        EXPECT_GE(c.box[corner], static_cast<float>(offset(width)));
        EXPECT_LE(c.box[corner], static_cast<float>(offset(width) + reduced::kCanvas));
        EXPECT_GE(c.box[corner + 1], static_cast<float>(offset(height)));
        EXPECT_LE(c.box[corner + 1], static_cast<float>(offset(height) + reduced::kCanvas));
      }
    }
    EXPECT_FALSE(slice.candidates.empty()) << height << " x " << width;
  }
}

// The hash runs on a thread of its own: it may be asked for twice, or never.
TEST(Engine, HashIsAskedForTwiceOrNever) {
  for (int round = 0; round < 20; ++round) {
    auto engine = open({.device = "cpu", .threads = 1});
    ASSERT_TRUE(engine);
    if (round % 2 == 0) continue;
    const auto first = engine->file_sha256(), second = engine->file_sha256();
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_EQ(first.value(), second.value());
  }
}

TEST(Pipeline, CroppedSliceSaysWhatWasCut) {
  auto pipeline = Pipeline::open({.model = model_path(), .engine = {.device = "cpu", .threads = 1}});
  ASSERT_TRUE(pipeline.ok());
  const SliceResult slice = pipeline.value()->diagnose(reduced::picture(129, 200, 1), "s");
  bool found = false;
  for (const Reason& r : slice.reasons) {
    if (r.code != "cropped") continue;
    found = true;
    EXPECT_NE(r.text.find("left 36, top 0, right 36, bottom 1"), std::string::npos) << r.text;
  }
  EXPECT_TRUE(found);
  EXPECT_NE(slice.alert, "negative");
}

// BI-34a: what the detector leaves out is told if it could be a vertebra.
TEST(Pipeline, MoreVertebraeThanTheDetectorKeeps) {
  std::string config = reduced::config_text();
  const std::string most = "\"detections_per_image\":20";
  ASSERT_NE(config.find(most), std::string::npos);
  config.replace(config.find(most), most.size(), "\"detections_per_image\":3");
  const auto model = reduced::make(testing::TempDir() + "/spinert_test_capped", reduced::kSeed, config);
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  for (const float threshold : {0.051f, 0.999f}) {
    auto pipeline =
        Pipeline::open({.model = model.value(), .engine = {.device = "cpu", .threads = 1}, .threshold = threshold});
    ASSERT_TRUE(pipeline.ok()) << pipeline.status().to_string();
    const SliceResult slice = pipeline.value()->diagnose(reduced::picture(100, 100, 1), "s");
    ASSERT_EQ(slice.candidates.size(), 3u);
    const bool told = std::ranges::any_of(slice.reasons, [](const Reason& r) { return r.code == "capped"; });
    EXPECT_EQ(told, slice.vertebrae.size() == 3u) << threshold;
    EXPECT_EQ(told, threshold < 0.5f) << threshold;
    EXPECT_NE(slice.alert, "negative");
  }
}

// BI-34a: a very large slice is cropped and says so; BI-34b's small neighbour works.
TEST(Pipeline, SizesFromSmallestToVeryLarge) {
  auto pipeline = Pipeline::open({.model = model_path(), .engine = {.device = "cpu", .threads = 2}});
  ASSERT_TRUE(pipeline.ok());
  for (const auto& [height, width] : {std::pair{64, 64}, {64, 8192}, {4096, 4096}, {127, 129}}) {
    const SliceResult slice = pipeline.value()->diagnose(reduced::picture(height, width, 2), "s");
    EXPECT_NE(slice.status, "failed") << height << " x " << width;
    const bool larger = height > reduced::kCanvas || width > reduced::kCanvas;
    const bool cropped = std::ranges::any_of(slice.reasons, [](const Reason& r) { return r.code == "cropped"; });
    EXPECT_EQ(cropped, larger) << height << " x " << width;
  }
}

}  // namespace
}  // namespace spinert
