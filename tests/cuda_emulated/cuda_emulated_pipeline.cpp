// A whole slice on the emulated card: the chained plan of the pipeline with the kernels of the backend, against the
// reference; and its loop, slots and errors with planted kernels, which are quick.
#include <gtest/gtest.h>

#include "diagnosis/verify.h"
#include "kernels/place/place.h"
#include "runtime/chained_plan.h"
#include "tests/cuda_emulated/emulated_pipeline.h"
#include "tests/cuda_emulated/planted_kernels.h"

namespace spinert {
namespace {

using namespace emulated_pipeline;

class EmulatedPipeline : public testing::Test {
 protected:
  void TearDown() override { emulation::set_card({}); }
};

// The same kernels, so the same bytes: for slices smaller than the canvas, larger, odd; every batch; again and again.
TEST_F(EmulatedPipeline, ChunksSizesAndRepeatsGiveTheBytesOfTheCpu) {
  const planted::AllOperators operators;
  const auto cpu = open("cpu", "fp32", 2);
  ASSERT_TRUE(cpu);
  size_t most = 0;
  for (const int batch : {1, 2, 3, 32}) {
    const auto cuda = open("cuda", "fp32", batch);
    ASSERT_TRUE(cuda);
    EXPECT_EQ(cuda->batch(), batch);
    const int sizes[][2] = {{120, 100}, {64, 64}, {120, 100}, {129, 127}, {300, 70}, {128, 128}, {65, 200}, {120, 100}};
    for (const auto& [height, width] : sizes) {
      const Picture picture = reduced::picture(height, width, 7);
      const SliceResult want = cpu->diagnose(picture, "s"), got = cuda->diagnose(picture, "s");
      EXPECT_TRUE(bits(got) == bits(want)) << height << " x " << width << ", batch " << batch << ", " << got.status;
      most = std::max(most, want.vertebrae.size());
    }
  }
  EXPECT_GT(most, 3u) << "more boxes than one chunk";
}

// More sizes than graphs are kept: the oldest go, and come again.
TEST_F(EmulatedPipeline, GraphsOfForgottenSizesAreMadeAgain) {
  const planted::AllOperators operators;
  const auto cpu = open("cpu", "fp32", 2), cuda = open("cuda", "fp32", 2);
  ASSERT_TRUE(cpu && cuda);
  for (int i = 0; i < 24; ++i) {
    const Picture picture = reduced::picture(100 + i % 12, 90, 7);
    EXPECT_TRUE(bits(cuda->diagnose(picture, "s")) == bits(cpu->diagnose(picture, "s"))) << i;
  }
}

// Zero boxes: no pass of the loop. Launches are counted with and without boxes.
TEST_F(EmulatedPipeline, NoBoxesMeanNoClassifier) {
  const planted::AllOperators operators;
  const Picture picture = reduced::picture(120, 100, 7);
  int64_t launches[2];
  for (const bool none : {true, false}) {
    const auto cuda = none ? open("cuda", "fp32", 2, 1.0f) : open("cuda", "fp32", 2);
    ASSERT_TRUE(cuda);
    static_cast<void>(cuda->diagnose(picture, "s"));
    const emulation::Counters before = emulation::counters();
    const SliceResult slice = cuda->diagnose(picture, "s");
    launches[none] = emulation::counters().launches - before.launches;
    EXPECT_EQ(slice.vertebrae.empty(), none);
    EXPECT_NE(slice.status, "failed");
    EXPECT_EQ(emulation::counters().allocations, before.allocations);
    EXPECT_EQ(emulation::counters().synchronisations, before.synchronisations + 1);
    EXPECT_EQ(emulation::counters().replays, before.replays + 1);
  }
  EXPECT_LT(launches[true] + 10, launches[false]);
}

// FS-07 in the middle of a slice: failed, nothing half done, and the card stays refused.
TEST_F(EmulatedPipeline, AFailedLaunchFailsTheSlice) {
  const planted::AllOperators operators;
  const Picture picture = reduced::picture(120, 100, 7);
  int failed = 0;
  for (const int64_t launch : {5, 20, 30, 45, 60, 75}) {
    emulation::set_card({.fail_launch = launch});
    auto opened = Pipeline::open(
        {.model = reduced_model_path(), .engine = {.device = "cuda", .precision = "fp32", .threads = 1}, .batch = 2});
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    SliceResult slice = opened.value()->diagnose(picture, "s");
    if (slice.status != "failed") continue;  // the slice has fewer launches
    for (int again = 0; again < 2; ++again) {
      EXPECT_EQ(slice.status, "failed");
      EXPECT_EQ(slice.error, ErrorId::E_DEVICE);
      EXPECT_EQ(exit_code(slice.error), 8);
      EXPECT_TRUE(slice.vertebrae.empty());
      EXPECT_TRUE(slice.candidates.empty());
      slice = opened.value()->diagnose(picture, "s");
    }
    ++failed;
  }
  EXPECT_GE(failed, 3);
}

// FS-06: every allocation that can fail while a pipeline is opened.
TEST_F(EmulatedPipeline, EveryFailingAllocationIsRefused) {
  const planted::AllOperators operators;
  const int64_t before = emulation::counters().blocks;
  for (int64_t k = 1;; ++k) {
    emulation::set_card({.fail_allocation = k});
    const auto opened =
        Pipeline::open({.model = reduced_model_path(), .engine = {.device = "cuda", .precision = "fp32"}});
    if (opened.ok()) {
      EXPECT_GE(k, 14) << "those of the engine and of the chain";
      break;
    }
    EXPECT_EQ(exit_code(opened.status().id()), 9) << opened.status().to_string();
    EXPECT_EQ(emulation::counters().blocks, before);
  }
  EXPECT_EQ(emulation::counters().blocks, before);
}

TEST_F(EmulatedPipeline, AShortCardTakesTheSmallestBatch) {
  const planted::AllOperators operators;
  const auto roomy = open("cuda", "fp32", 1);
  ASSERT_TRUE(roomy);
  emulation::set_card({.memory_bytes = roomy->engine().memory().total()});
  const auto small = open("cuda", "fp32", 64);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->batch(), 1);
  EXPECT_TRUE(bits(small->diagnose(reduced::picture(120, 100, 7), "s")) ==
              bits(roomy->diagnose(reduced::picture(120, 100, 7), "s")));
}

TEST_F(EmulatedPipeline, CancelAndTimeoutStopBeforeTheSlice) {
  const planted::AllOperators operators;
  const auto cuda = open("cuda", "fp32", 2);
  ASSERT_TRUE(cuda);
  const std::atomic<int> cancel{2};
  EXPECT_EQ(cuda->diagnose(reduced::picture(80, 80, 1), "s", {.cancel = &cancel}).error, ErrorId::E_CANCELLED);
  RunControl late;
  late.deadline = std::chrono::steady_clock::now();
  EXPECT_EQ(cuda->diagnose(reduced::picture(80, 80, 1), "s", late).error, ErrorId::E_TIMEOUT);
  EXPECT_NE(cuda->diagnose(reduced::picture(80, 80, 1), "s").status, "failed");
}

// Two slots: the second picture is handed over while the first is computed, and each keeps its own results.
TEST_F(EmulatedPipeline, SlotsOverlap) {
  const planted::AllOperators operators;
  auto engine = Engine::open(reduced_model_path(), {.device = "cuda", .precision = "fp32"});
  ASSERT_TRUE(engine.ok()) << engine.status().to_string();
  ChainSpec spec;
  spec.first = "detector";
  spec.second = "classifier";
  spec.opening_params = std::make_shared<PlaceParams>(PlaceParams{reduced::kCanvas});
  spec.opened = "canvas";
  spec.whole = {{"canvas", "canvas"}};
  spec.rows = {{"boxes", "boxes"}};
  spec.scores = "scores";
  spec.threshold = 0.3;
  spec.chunk_count = "count";
  spec.collected = "probabilities";
  auto chain = engine.value()->chain(spec);
  ASSERT_TRUE(chain.ok()) << chain.status().to_string();
  ChainedPlan& plan = *chain.value();
  const auto fill = [&](int slot, uint64_t seed) {
    const Picture picture = reduced::picture(100, 90, seed);
    for (size_t i = 0; i < picture.value.size(); ++i) plan.picture(slot)[i] = picture.value[i];
  };
  const auto result = [&](int slot) {
    std::string all;
    for (const Tensor& t : {plan.value(slot, "scores"), plan.value(slot, "boxes"), plan.collected(slot)}) {
      const int64_t row = t.bytes() / t.shape[0];
      all.append(static_cast<const char*>(t.data), static_cast<size_t>(row * t.rows()));
    }
    return all;
  };
  std::string alone[3];
  for (const int i : {0, 1, 2}) {
    fill(0, static_cast<uint64_t>(i));
    ASSERT_TRUE(plan.submit(0, 100, 90).ok());
    ASSERT_TRUE(plan.wait(0).ok());
    EXPECT_GT(plan.fed_rows(0), 0);
    alone[i] = result(0);
  }
  EXPECT_FALSE(alone[0] == alone[1]);
  for (int i = 0; i < 6; ++i) {
    fill(i % 2, static_cast<uint64_t>(i % 3));
    const Status status = plan.submit(i % 2, 100, 90);
    ASSERT_TRUE(status.ok()) << status.to_string();
    if (i == 0) continue;
    ASSERT_TRUE(plan.wait((i - 1) % 2).ok());
    EXPECT_TRUE(result((i - 1) % 2) == alone[(i - 1) % 3]) << i;
  }
  EXPECT_EQ(plan.submit(1, 100, 90).id(), ErrorId::E_INTERNAL) << "not waited for";
  EXPECT_EQ(plan.submit(0, 100, 129).id(), ErrorId::E_INTERNAL) << "larger than the canvas";
  EXPECT_EQ(plan.submit(0, 100, 90, {}, 2).id(), ErrorId::E_INTERNAL) << "more pictures than lanes";
  EXPECT_EQ(plan.wait(0).id(), ErrorId::E_INTERNAL) << "nothing was submitted";
  EXPECT_TRUE(plan.wait(1).ok());
  EXPECT_FALSE(plan.value(0, "no such value").present());

  spec.rows = {{"scores", "boxes"}};
  EXPECT_EQ(engine.value()->chain(spec).status().id(), ErrorId::E_MODEL_ARCH);
  spec.rows.clear();
  EXPECT_EQ(engine.value()->chain(spec).status().id(), ErrorId::E_MODEL_ARCH);
  spec.second = "no such graph";
  EXPECT_EQ(engine.value()->chain(spec).status().id(), ErrorId::E_MODEL_ARCH);
  auto host = Engine::open(reduced_model_path(), {.device = "cpu"});
  ASSERT_TRUE(host.ok());
  EXPECT_EQ(host.value()->chain(spec).status().id(), ErrorId::E_DEVICE);
}

// The pipeline with two slices on their way gives what it gives one by one, in order.
TEST_F(EmulatedPipeline, StartedSlicesFinishInOrder) {
  const planted::AllOperators operators;
  const auto cuda = open("cuda", "fp32", 2), cpu = open("cpu", "fp32", 2);
  ASSERT_TRUE(cuda && cpu);
  EXPECT_EQ(cuda->depth(), 2);
  EXPECT_EQ(cpu->depth(), 1);
  const auto picture = [](int i) { return reduced::picture(90 + 10 * (i % 3), 100, static_cast<uint64_t>(i)); };
  std::vector<std::string> alone;
  for (int i = 0; i < 5; ++i) alone.push_back(bits(cpu->diagnose(picture(i), "s")));
  const std::atomic<int> cancel{2};
  for (int i = 0; i < 6; ++i) {
    // The last one is refused before the card gets it, and waits its turn all the same.
    if (i < 5) cuda->start(picture(i), "s");
    if (i == 5) cuda->start(picture(0), "s", {.cancel = &cancel});
    if (i == 0) continue;
    EXPECT_TRUE(bits(cuda->finish()) == alone[static_cast<size_t>(i - 1)]) << i - 1;
  }
  EXPECT_EQ(cuda->finish().error, ErrorId::E_CANCELLED);
  EXPECT_TRUE(bits(cuda->diagnose(picture(1), "s")) == alone[1]);
}

// The kernels of the backend themselves: verify, node by node and as a whole.
struct Precision {
  const char* name;
  const char* level;
  const char* detector = "fasterrcnn_reduced_fpn";
};
class EmulatedVerify : public testing::TestWithParam<Precision> {};

TEST_P(EmulatedVerify, AgreesWithTheReference) {
  VerifyOptions options;
  options.model = reduced_model_path(GetParam().detector);
  options.device = "cuda";
  options.precision = GetParam().name;
  options.levels = {GetParam().level};
  options.threads = 1;
  options.limits = verify_limits(GetParam().name);
  // Random weights make slivers a hundredth of a pixel wide, whose IoU a last-bit difference moves, and they amplify
  // roundings: fp32 is off by 1e-5 here, and f16 rounds 2^13 times as coarsely.
  options.limits.iou = 0.9;
  if (options.precision == "mixed") options.limits = {.iou = 0.9, .score = 0.05, .probability = 0.05};
  const NamedPicture inputs[] = {{"block column", reduced::picture(120, 100, 3)}};
  const auto report = verify(options, inputs);
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  const LevelReport& level = report.value().levels[0];
  EXPECT_TRUE(level.breach.ok()) << level.breach.to_string();
  EXPECT_GT(level.global.vertebrae, 0);
  EXPECT_GT(level.nodes.size(), 20u);
  const bool rewritten =
      std::ranges::any_of(level.nodes, [](const NodeCheck& check) { return check.op == "rpn_head"; });
  const bool has_levels = std::string(GetParam().detector).ends_with("_fpn");
  EXPECT_EQ(rewritten, options.precision == "mixed" && has_levels);
}

INSTANTIATE_TEST_SUITE_P(Precisions, EmulatedVerify,
                         testing::Values(Precision{"fp32", "sm80"}, Precision{"mixed", "sm80"},
                                         Precision{"mixed", "sm90a"},
                                         Precision{"fp32", "sm80", "fasterrcnn_reduced_c5"},
                                         Precision{"mixed", "sm90a", "fasterrcnn_reduced_c5"},
                                         Precision{"fp32", "sm80", "fasterrcnn_reduced_mobilenet"},
                                         Precision{"mixed", "sm80", "fasterrcnn_reduced_mobilenet"},
                                         Precision{"mixed", "sm90a", "fasterrcnn_reduced_mobilenet"}),
                         [](const auto& row) {
                           return std::string(row.param.name) + "_" + row.param.level + "_" + row.param.detector;
                         });

// The same bytes for any chunk, in the default precision of a card.
TEST_F(EmulatedPipeline, MixedGivesTheSameBytesForEveryBatch) {
  const Picture picture = reduced::picture(120, 100, 7);
  std::string first;
  for (const int batch : {1, 4}) {
    const auto cuda = open("cuda", "", batch);
    ASSERT_TRUE(cuda);
    EXPECT_EQ(cuda->engine().device().precision, "mixed");
    for (int repeat = 0; repeat < 2; ++repeat) {
      emulation::set_seed(static_cast<uint64_t>(17 * batch + repeat));
      const std::string got = bits(cuda->diagnose(picture, "s"));
      if (first.empty()) first = got;
      EXPECT_TRUE(got == first) << "batch " << batch << ", repeat " << repeat;
    }
  }
}

}  // namespace
}  // namespace spinert
