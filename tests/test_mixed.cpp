// Mixed precision of the cpu backend on the reduced model: refused below avx512_bf16, every node within its bound of
// the reference, an error in a kernel found, the same bytes for any number of threads and batch, and how a product in
// bf16 is cut.
#include <gtest/gtest.h>

#include <algorithm>

#include "diagnosis/verify.h"
#include "kernels/base/half.h"
#include "kernels/registry.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

class Mixed : public testing::Test {
 protected:
  void SetUp() override {
    if (cpu_features().best < Level::avx512_bf16) GTEST_SKIP() << "this machine has no avx512_bf16";
  }
};

const std::string& model_path() {
  static const std::string path = [] {
    auto made = reduced::make(testing::TempDir() + "/spinert_test_mixed");
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    return made.ok() ? made.value() : std::string();
  }();
  return path;
}

// A precision is never lowered: what cannot compute in it refuses.
TEST(MixedRefusals, NeedTheLevelThatMultipliesBf16) {
  for (const EngineOptions& options : {EngineOptions{.device = "cpu", .isa = "scalar", .precision = "mixed"},
                                       EngineOptions{.device = "auto", .isa = "scalar", .precision = "mixed"},
                                       EngineOptions{.device = "reference", .precision = "mixed"}}) {
    const auto engine = Engine::open(model_path(), options);
    ASSERT_FALSE(engine.ok()) << options.device;
    EXPECT_EQ(engine.status().id(), ErrorId::E_DEVICE) << engine.status().to_string();
    EXPECT_NE(engine.status().to_string().find("mixed"), std::string::npos) << engine.status().to_string();
  }
  if (cpu_features().best >= Level::avx512_bf16) return;
  EXPECT_EQ(Engine::open(model_path(), {.device = "cpu", .precision = "mixed"}).status().id(), ErrorId::E_DEVICE);
}

TEST_F(Mixed, SaysItsPrecisionAndTakesBf16Products) {
  auto engine = Engine::open(model_path(), {.device = "cpu", .isa = "avx512_bf16", .precision = "mixed"});
  ASSERT_TRUE(engine.ok()) << engine.status().to_string();
  EXPECT_EQ(engine.value()->device().precision, "mixed");
  EXPECT_NE(engine.value()->device().isa.find("avx512_bf16"), std::string::npos);
  int products = 0;
  for (const std::string& graph : engine.value()->graphs()) {
    for (const NodeInfo& node : engine.value()->plan(graph)->nodes()) {
      products += node.kernel.find("igemm_14x32_avx512_bf16") != std::string::npos;
      // Geometry and scores see no half numbers.
      for (const char* op : {"topk", "box_decode", "nms", "softmax", "sigmoid", "crop_resize"}) {
        if (node.op != op) continue;
        EXPECT_EQ(node.half, DType::none) << node.name;
      }
    }
  }
  EXPECT_GT(products, 10);
}

TEST_F(Mixed, SameBytesForThreadsAndBatch) {
  const auto bytes = [](int threads, int batch) {
    auto pipeline = Pipeline::open(
        {.model = model_path(), .engine = {.device = "cpu", .precision = "mixed", .threads = threads}, .batch = batch});
    EXPECT_TRUE(pipeline.ok()) << pipeline.status().to_string();
    std::vector<float> numbers;
    if (!pipeline.ok()) return numbers;
    for (int repeat = 0; repeat < 2; ++repeat) {
      const SliceResult slice = pipeline.value()->diagnose(reduced::picture(120, 100, 7), "slice");
      numbers.clear();
      for (const Vertebra& v : slice.vertebrae) {
        numbers.insert(numbers.end(), v.box.begin(), v.box.end());
        numbers.insert(numbers.end(), v.probabilities.begin(), v.probabilities.end());
        numbers.push_back(v.score);
      }
      for (const Candidate& c : slice.candidates) numbers.push_back(c.score);
    }
    return numbers;
  };
  const std::vector<float> want = bytes(1, 1);
  EXPECT_FALSE(want.empty());
  for (const int threads : {1, 2, 3, 7}) {
    for (const int batch : {1, 4, 32}) {
      EXPECT_TRUE(bytes(threads, batch) == want) << "threads " << threads << " batch " << batch;
    }
  }
}

VerifyReport run_verify() {
  VerifyOptions options;
  options.model = model_path();
  options.precision = "mixed";
  options.levels = {"avx512_bf16"};
  // Random weights amplify roundings until boxes come and go: whole diagnoses are for trained networks.
  options.global = false;
  const NamedPicture inputs[] = {{"block column", reduced::picture(120, 100, 3)}};
  auto report = verify(options, inputs);
  EXPECT_TRUE(report.ok()) << report.status().to_string();
  return report.ok() ? std::move(report).value() : VerifyReport{};
}

TEST_F(Mixed, EveryNodeLiesWithinItsBound) {
  const VerifyReport report = run_verify();
  ASSERT_EQ(report.levels.size(), 1u);
  EXPECT_TRUE(report.ok()) << report.levels[0].breach.to_string();
  EXPECT_GT(report.levels[0].nodes.size(), 40u);
}

// A row that computes a wrong convolution: what verify reads and writes of half values must be the values.
void negated(const OpCall& call, const RunContext& context) {
  for (const KernelInfo& row : all_kernels()) {
    if (std::string(row.name) == "conv2d_direct_scalar") row.kernel->run(call, context);
  }
  for (int64_t i = 0; i < call.out[0].elements(); ++i) {
    store_from_f32(call.out[0], i, -1000.0f - load_as_f32(call.out[0], i));
  }
}
const char* no_half_output(const OpCall& call) {
  return call.out[0].dtype == DType::bf16 ? nullptr : "writes f32";
}
int64_t sums_bytes(const OpCall& call, int threads) {
  return threads * call.out[0].shape[3] * int64_t{sizeof(float)};
}

TEST_F(Mixed, APlantedErrorIsFound) {
  const Kernel broken = {.rejects = no_half_output, .run = negated, .scratch_bytes = sums_bytes};
  const KernelInfo row{OpId::conv2d, Backend::cpu, Level::scalar, "planted_negated", &broken};
  plant_kernel_for_tests(&row);
  const VerifyReport report = run_verify();
  clear_planted_kernels_for_tests();
  ASSERT_EQ(report.levels.size(), 1u);
  EXPECT_EQ(report.levels[0].breach.id(), ErrorId::E_VERIFY);
  EXPECT_NE(report.levels[0].breach.to_string().find("planted_negated"), std::string::npos);
}

// The detector picks boxes by their scores and stays f32 (graph/precision.h).
TEST_F(Mixed, TheDetectorStaysF32) {
  auto engine = Engine::open(model_path(), {.device = "cpu", .precision = "mixed"});
  ASSERT_TRUE(engine.ok()) << engine.status().to_string();
  const auto halves = [&](const char* graph) {
    return std::ranges::count_if(engine.value()->plan(graph)->nodes(),
                                 [](const NodeInfo& node) { return node.half != DType::none; });
  };
  EXPECT_EQ(halves("detector"), 0);
  EXPECT_GT(halves("classifier"), 10);
}

}  // namespace
}  // namespace spinert
