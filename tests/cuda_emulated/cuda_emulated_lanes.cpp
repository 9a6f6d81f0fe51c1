// Several slices in one recorded graph: the emulated card gives them the bytes of single slices, in order, whatever
// their sizes and the order in which the lanes take turns; errors stay with the slices of their replay.
#include <gtest/gtest.h>

#include <set>

#include "tests/cuda_emulated/emulated_pipeline.h"
#include "tests/cuda_emulated/planted_kernels.h"

namespace spinert {
namespace {

using namespace emulated_pipeline;

struct Size {
  int height, width;
};

Picture picture_of(Size size, uint64_t seed) {
  return reduced::picture(size.height, size.width, seed);
}

// Runs the slices through a pipeline as `diagnose` does: as many on their way as it takes.
std::vector<std::string> run_all(Pipeline& pipeline, std::span<const Picture> pictures) {
  std::vector<std::string> all;
  int pending = 0;
  for (const Picture& picture : pictures) {
    pipeline.start(picture, "s");
    if (++pending < pipeline.depth()) continue;
    all.push_back(bits(pipeline.finish()));
    --pending;
  }
  for (; pending > 0; --pending) all.push_back(bits(pipeline.finish()));
  return all;
}

class EmulatedLanes : public testing::Test {
 protected:
  void TearDown() override {
    emulation::set_card({});
    emulation::set_seed(0);
  }
};

// Runs of one size, sizes that change at every slice, a rest at the end; slices without a box beside slices with some.
TEST_F(EmulatedLanes, GiveTheBytesOfSingleSlices) {
  const planted::AllOperators operators;
  const Size a{120, 100}, b{64, 80}, c{300, 70};
  const Size sizes[] = {a, a, a, a, a, b, a, b, c, c, a, c, b, b, b, b, b, b, b, c, a};
  std::vector<Picture> pictures;
  for (size_t i = 0; i < std::size(sizes); ++i) pictures.push_back(picture_of(sizes[i], i));
  const auto lowest = open("cpu", "fp32", 2);
  ASSERT_TRUE(lowest);
  // A threshold between the best scores of the slices.
  std::vector<float> best;
  for (const Picture& picture : pictures) best.push_back(lowest->diagnose(picture, "s").candidates.at(0).score);
  std::ranges::sort(best);
  const float threshold = best[best.size() / 2];
  ASSERT_LT(best.front(), threshold);
  for (const std::optional<float> least : {std::optional<float>(), std::optional<float>(threshold)}) {
    const auto cpu = open("cpu", "fp32", 2, least);
    ASSERT_TRUE(cpu);
    std::vector<std::string> want;
    size_t empty = 0;
    for (const Picture& picture : pictures) {
      const SliceResult slice = cpu->diagnose(picture, "s");
      empty += slice.vertebrae.empty();
      want.push_back(bits(slice));
    }
    EXPECT_EQ(empty > 0, least.has_value());
    EXPECT_LT(empty, pictures.size());
    for (const int lanes : {1, 2, 3}) {
      for (const int batch : {1, 4}) {
        const auto cuda = open("cuda", "fp32", batch, least, lanes);
        ASSERT_TRUE(cuda);
        EXPECT_EQ(cuda->depth(), 2 * lanes);
        for (const uint64_t seed : {1, 2}) {
          emulation::set_seed(seed);
          EXPECT_TRUE(run_all(*cuda, pictures) == want) << lanes << " lanes, batch " << batch << ", seed " << seed;
        }
      }
    }
  }
}

TEST_F(EmulatedLanes, OneReplayAndOneSynchronisation) {
  const planted::AllOperators operators;
  const auto cuda = open("cuda", "fp32", 2, {}, 3);
  ASSERT_TRUE(cuda);
  std::vector<Picture> pictures;
  for (uint64_t i = 0; i < 3; ++i) pictures.push_back(picture_of({120, 100}, i));
  static_cast<void>(run_all(*cuda, pictures));
  const emulation::Counters before = emulation::counters();
  static_cast<void>(run_all(*cuda, pictures));
  EXPECT_EQ(emulation::counters().replays, before.replays + 1);
  EXPECT_EQ(emulation::counters().synchronisations, before.synchronisations + 1);
  EXPECT_EQ(emulation::counters().allocations, before.allocations);
}

// FS-07: the slices of a replay fail together, and all that come later; those of the replay before keep their results.
TEST_F(EmulatedLanes, AFailedLaunchFailsTheSlicesOfItsReplay) {
  const planted::AllOperators operators;
  std::vector<Picture> pictures;
  for (uint64_t i = 0; i < 3; ++i) pictures.push_back(picture_of({120, 100}, i));
  const int64_t before = emulation::counters().launches;
  auto cuda = open("cuda", "fp32", 2, {}, 3);
  ASSERT_TRUE(cuda);
  const int64_t opened = emulation::counters().launches - before;
  const std::vector<std::string> want = run_all(*cuda, pictures);
  const int64_t of_replay = emulation::counters().launches - before - opened;
  ASSERT_GT(of_replay, 60);
  for (const int64_t into : {int64_t{1}, of_replay / 4, of_replay / 2, of_replay}) {
    emulation::set_card({.fail_launch = opened + of_replay + into});
    cuda = open("cuda", "fp32", 2, {}, 3);
    ASSERT_TRUE(cuda);
    EXPECT_TRUE(run_all(*cuda, pictures) == want);
    for (const Picture& picture : pictures) cuda->start(picture, "s");
    for (size_t i = 0; i < pictures.size() + 1; ++i) {
      const SliceResult slice = i < pictures.size() ? cuda->finish() : cuda->diagnose(pictures[0], "s");
      EXPECT_EQ(slice.status, "failed") << i << ", launch " << into;
      EXPECT_EQ(slice.error, ErrorId::E_DEVICE);
      EXPECT_TRUE(slice.vertebrae.empty());
      EXPECT_TRUE(slice.candidates.empty());
    }
  }
}

// A slice that is refused before the card gets it takes no lane and keeps its turn.
TEST_F(EmulatedLanes, ACancelledSliceDisturbsNoOther) {
  const planted::AllOperators operators;
  const auto cuda = open("cuda", "fp32", 2, {}, 2), cpu = open("cpu", "fp32", 2);
  ASSERT_TRUE(cuda && cpu);
  const Picture first = picture_of({90, 100}, 1), second = picture_of({90, 100}, 2);
  const std::atomic<int> cancel{2};
  cuda->start(first, "s");
  cuda->start(first, "s", {.cancel = &cancel});
  cuda->start(second, "s");
  EXPECT_TRUE(bits(cuda->finish()) == bits(cpu->diagnose(first, "s")));
  EXPECT_EQ(cuda->finish().error, ErrorId::E_CANCELLED);
  EXPECT_TRUE(bits(cuda->finish()) == bits(cpu->diagnose(second, "s")));
}

// Weights once, everything else for each lane; what the figures say is what is refused.
TEST_F(EmulatedLanes, MemoryIsCounted) {
  const planted::AllOperators operators;
  const auto memory_of = [](int lanes) {
    const auto engine = Engine::open(reduced_model_path(), {.device = "cuda", .precision = "fp32", .lanes = lanes});
    EXPECT_TRUE(engine.ok()) << engine.status().to_string();
    EXPECT_EQ(engine.value()->device().lanes, lanes);
    return engine.value()->memory();
  };
  const MemoryPlan one = memory_of(1), three = memory_of(3);
  EXPECT_EQ(three.weights, one.weights);
  EXPECT_EQ(three.arena, 3 * one.arena);
  EXPECT_EQ(three.live_peak, 3 * one.live_peak);
  EXPECT_EQ(three.io, 3 * one.io);
  EXPECT_EQ(three.scratch, 3 * one.scratch);
  EngineOptions options{.device = "cuda", .precision = "fp32", .memory_limit = three.total() - 1, .lanes = 3};
  const Status status = Engine::open(reduced_model_path(), options).status();
  EXPECT_EQ(status.id(), ErrorId::E_OOM_DEVICE);
  EXPECT_NE(status.to_string().find("--lanes"), std::string::npos) << status.to_string();
  for (const int lanes : {-1, 0, 9}) {
    EXPECT_EQ(Engine::open(reduced_model_path(), {.device = "cuda", .lanes = lanes}).status().id(), ErrorId::E_USAGE);
    EXPECT_EQ(Engine::open(reduced_model_path(), {.device = "cpu", .lanes = lanes}).status().id(), ErrorId::E_USAGE);
  }
  EXPECT_EQ(Engine::open(reduced_model_path(), {.device = "cpu", .lanes = 3}).value()->device().lanes, 1);
}

// Kernels write to their scratch within one launch, where lanes do not take turns: so the pointers themselves.
std::set<const void*> scratches;

void run_with_scratch(const OpCall& call, const RunContext& context) {
  scratches.insert(context.scratch);
  planted::run<OpId::sigmoid>(call, context);
}

TEST_F(EmulatedLanes, EachHasItsOwnScratch) {
  const planted::AllOperators operators("sigmoid");
  static const Kernel kernel{.run = run_with_scratch, .scratch_bytes = [](const OpCall&, int) { return int64_t{4}; }};
  static const KernelInfo row{OpId::sigmoid, Backend::cuda, Level::sm80, "planted_with_scratch", &kernel};
  plant_kernel_for_tests(&row);
  const auto cuda = open("cuda", "fp32", 2, {}, 3);
  ASSERT_TRUE(cuda);
  std::vector<Picture> pictures;
  for (uint64_t i = 0; i < 3; ++i) pictures.push_back(picture_of({120, 100}, i));
  scratches.clear();
  static_cast<void>(run_all(*cuda, pictures));
  EXPECT_EQ(scratches.size(), 3u);
  EXPECT_FALSE(scratches.contains(nullptr));
}

// FS-06: first with one lane, and the batch as it was asked for.
TEST_F(EmulatedLanes, AShortCardTakesOneLane) {
  const planted::AllOperators operators;
  const auto roomy = open("cuda", "fp32", 2);
  ASSERT_TRUE(roomy);
  emulation::set_card({.memory_bytes = roomy->engine().memory().total()});
  const auto small = open("cuda", "fp32", 2, {}, 8);
  ASSERT_TRUE(small);
  EXPECT_EQ(small->engine().device().lanes, 1);
  EXPECT_EQ(small->depth(), 2);
  EXPECT_EQ(small->batch(), 2);
}

TEST_F(EmulatedLanes, EveryFailingAllocationIsRefusedOrCostsTheLanes) {
  const planted::AllOperators operators;
  const int64_t before = emulation::counters().blocks;
  int refused = 0, with_one = 0;
  for (int64_t k = 1;; ++k) {
    emulation::set_card({.fail_allocation = k});
    const auto opened =
        Pipeline::open({.model = reduced_model_path(), .engine = {.device = "cuda", .precision = "fp32", .lanes = 3}});
    if (opened.ok() && opened.value()->depth() == 6) break;
    (opened.ok() ? with_one : refused)++;
    if (opened.ok()) continue;
    EXPECT_EQ(exit_code(opened.status().id()), 9) << opened.status().to_string();
    EXPECT_EQ(emulation::counters().blocks, before);
  }
  EXPECT_GE(refused, 14);
  EXPECT_GT(with_one, 0);
  EXPECT_EQ(emulation::counters().blocks, before);
}

// The kernels of the backend themselves, in the default precision of a card.
TEST_F(EmulatedLanes, MixedGivesTheBytesOfSingleSlices) {
  std::vector<Picture> pictures;
  for (uint64_t i = 0; i < 2; ++i) pictures.push_back(picture_of({120, 100}, 7 + i));
  const auto single = open("cuda", "", 4), cuda = open("cuda", "", 4, {}, 2);
  ASSERT_TRUE(single && cuda);
  const std::vector<std::string> want = run_all(*single, pictures);
  EXPECT_FALSE(want[0] == want[1]);
  for (const uint64_t seed : {5, 6}) {
    emulation::set_seed(seed);
    EXPECT_TRUE(run_all(*cuda, pictures) == want) << "seed " << seed;
  }
}

}  // namespace
}  // namespace spinert
