// The runtime of the cuda backend on the emulated card and the reduced model: plans, memory, packing and errors. The
// operators are planted_kernels.h, so that these tests are about the runtime alone.
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/conv2d_stem/conv2d_stem.h"
#include "runtime/engine.h"
#include "tests/cuda_emulated/planted_kernels.h"
#include "tests/support/graph_model.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

const std::string& reduced_model_path() {
  static const std::string path = [] {
    auto made = reduced::make(testing::TempDir() + "/spinert_cuda_emulated_engine");
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    return made.ok() ? made.value() : std::string();
  }();
  return path;
}

class EmulatedEngine : public testing::Test {
 protected:
  void TearDown() override { emulation::set_card({}); }
  std::unique_ptr<Engine> open(const EngineOptions& options) {
    auto engine = Engine::open(reduced_model_path(), options);
    EXPECT_TRUE(engine.ok()) << engine.status().to_string();
    return engine.ok() ? std::move(engine).value() : nullptr;
  }

  planted::AllOperators operators_;
};

// Fills the inputs of a graph with a picture and, for the classifier, boxes.
void fill_inputs(Plan& plan, uint64_t seed) {
  const Tensor canvas = plan.tensor("canvas"), boxes = plan.tensor("boxes"), count = plan.tensor("count");
  const Picture picture = reduced::picture(reduced::kCanvas, reduced::kCanvas, seed);
  for (size_t i = 0; i < picture.value.size(); ++i) canvas.f32()[i] = picture.value[i];
  if (plan.tensor("scores").present()) return;
  const float values[] = {30, 20, 70, 60, 10, 50, 60, 90};
  std::memcpy(boxes.data, values, sizeof values);
  *count.i32() = 2;
}

std::string bytes_of(const Tensor& tensor) {
  const int64_t row = tensor.elements() / std::max<int64_t>(1, tensor.shape[0]) * size_of(tensor.dtype);
  return {static_cast<const char*>(tensor.data), static_cast<size_t>(row * tensor.rows())};
}

std::string outputs_of(Plan& plan) {
  std::string all;
  for (const char* name : {"scores", "boxes", "count", "probabilities"}) {
    if (const Tensor tensor = plan.tensor(name); tensor.present()) all += bytes_of(tensor);
  }
  return all;
}

// The same kernels on the same numbers: the card's plan must give the bytes of the scalar cpu plan.
TEST_F(EmulatedEngine, GivesWhatItsKernelsGive) {
  const std::set<std::string> rewrites = {"detector.fpn_merge", "detector.rpn_head"};
  const auto cuda = open({.device = "cuda", .precision = "fp32", .rewrites = rewrites});
  ASSERT_TRUE(cuda);
  EXPECT_EQ(cuda->device().rewrites, rewrites);
  EXPECT_TRUE(open({.device = "cuda", .precision = "fp32"})->device().rewrites.empty());
  EXPECT_EQ(open({.device = "cuda"})->device().rewrites, rewrites);
  const auto cpu = open({.device = "cpu", .isa = "scalar", .threads = 1, .rewrites = cuda->device().rewrites});
  ASSERT_TRUE(cpu);
  EXPECT_EQ(cuda->plan("detector")->nodes().size(), cpu->plan("detector")->nodes().size());
  for (const char* graph : {"detector", "classifier"}) {
    for (const uint64_t seed : {1, 2, 1}) {
      for (Engine* engine : {cuda.get(), cpu.get()}) {
        fill_inputs(*engine->plan(graph), seed);
        const Status status = engine->plan(graph)->run();
        ASSERT_TRUE(status.ok()) << status.to_string();
      }
      EXPECT_TRUE(outputs_of(*cuda->plan(graph)) == outputs_of(*cpu->plan(graph))) << graph << " seed " << seed;
    }
  }
}

TEST_F(EmulatedEngine, SaysWhatItRunsOn) {
  const auto engine = open({.device = "cuda:0", .precision = "fp32"});
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine->device().name, "emulated");
  EXPECT_EQ(engine->device().isa, "sm80");
  EXPECT_EQ(engine->device().precision, "fp32");
  EXPECT_TRUE(engine->device().cuda);
  EXPECT_FALSE(engine->device().fallback);
  EXPECT_GT(engine->memory().weights, 0);
  EXPECT_EQ(engine->memory().device, int64_t{8} << 30);
  EXPECT_EQ(engine->memory().arena % 256, 0);
}

TEST_F(EmulatedEngine, AutoTakesTheCardAndFallsBackAloud) {
  EXPECT_EQ(open({.device = "auto"})->device().name, "cpu");  // not before a card has proved the backend
  EXPECT_FALSE(open({.device = "auto"})->device().fallback);
  EXPECT_TRUE(open({.device = "auto", .auto_takes_card = true, .precision = "fp32"})->device().cuda);
  EXPECT_EQ(open({.device = "auto", .auto_takes_card = true, .isa = "scalar"})->device().name, "cpu");
  emulation::set_card({.major = 7, .minor = 5});
  const auto engine = open({.device = "auto", .auto_takes_card = true});
  ASSERT_TRUE(engine);
  EXPECT_EQ(engine->device().name, "cpu");
  EXPECT_TRUE(engine->device().fallback);
  EXPECT_NE(engine->device().fallback_reason.find("too old"), std::string::npos) << engine->device().fallback_reason;
}

TEST_F(EmulatedEngine, RefusesWhatItCannotDo) {
  struct Row {
    EngineOptions options;
    ErrorId id;
  };
  const Row rows[] = {
      {{.device = "cuda:1"}, ErrorId::E_DEVICE},
      {{.device = "cuda", .isa = "avx2"}, ErrorId::E_USAGE},
      {{.device = "cuda", .precision = "fp64"}, ErrorId::E_USAGE},
      {{.device = "cuda", .precision = "int8"}, ErrorId::E_CONFIG},
      {{.device = "cuda", .precision = "fp8"}, ErrorId::E_CONFIG},
      {{.device = "cuda", .precision = "fp32", .memory_limit = 1000}, ErrorId::E_OOM_DEVICE},
  };
  for (const Row& row : rows) {
    const auto engine = Engine::open(reduced_model_path(), row.options);
    EXPECT_EQ(engine.status().id(), row.id) << row.options.device << ": " << engine.status().to_string();
  }
  emulation::set_card({.major = 8, .minor = 6});
  EXPECT_EQ(Engine::open(reduced_model_path(), {.device = "cuda", .isa = "sm90a"}).status().id(), ErrorId::E_DEVICE);
  EXPECT_EQ(Engine::open(reduced_model_path(), {.device = "cuda", .precision = "fp8"}).status().id(),
            ErrorId::E_DEVICE);
  emulation::set_card({.major = 7, .minor = 5});
  EXPECT_EQ(Engine::open(reduced_model_path(), {.device = "cuda"}).status().id(), ErrorId::E_DEVICE);
  emulation::set_card({.memory_bytes = 100000});
  const Status small = Engine::open(reduced_model_path(), {.device = "cuda", .precision = "fp32"}).status();
  EXPECT_EQ(small.id(), ErrorId::E_OOM_DEVICE);
  EXPECT_NE(small.message().find("weights"), std::string::npos) << small.message();
}

// FS-06: whichever allocation fails, opening is refused with the right id and gives everything back.
TEST_F(EmulatedEngine, EveryFailingAllocationIsRefused) {
  const int64_t before = emulation::counters().blocks;
  int64_t failures = 0;
  for (int64_t k = 1;; ++k) {
    emulation::set_card({.fail_allocation = k});
    const auto engine = Engine::open(reduced_model_path(), {.device = "cuda", .precision = "fp32"});
    if (engine.ok()) break;
    const ErrorId id = engine.status().id();
    EXPECT_TRUE(id == ErrorId::E_OOM_DEVICE || id == ErrorId::E_OOM_HOST) << engine.status().to_string();
    EXPECT_EQ(exit_code(id), 9);
    EXPECT_EQ(emulation::counters().blocks, before);
    ++failures;
  }
  EXPECT_GE(failures, 6) << "arena, scratch, weights, packing, and two for each plan";
  EXPECT_EQ(emulation::counters().blocks, before);
}

// FS-07: a failed launch ends the run, and the engine stays refused.
TEST_F(EmulatedEngine, AFailedLaunchSticks) {
  for (const int64_t launch : {1, 5, 20}) {
    emulation::set_card({.fail_launch = launch});
    auto engine = Engine::open(reduced_model_path(), {.device = "cuda", .precision = "fp32"});
    if (!engine.ok()) {
      EXPECT_EQ(engine.status().id(), ErrorId::E_DEVICE);
      continue;
    }
    Plan& plan = *engine.value()->plan("detector");
    fill_inputs(plan, 1);
    EXPECT_EQ(plan.run().id(), ErrorId::E_DEVICE);
    EXPECT_EQ(plan.run().id(), ErrorId::E_DEVICE);
    EXPECT_EQ(engine.value()->plan("classifier")->run().id(), ErrorId::E_DEVICE);
  }
}

TEST_F(EmulatedEngine, RunsWithoutAllocationsAndWithOneSynchronisation) {
  const auto engine = open({.device = "cuda", .precision = "fp32"});
  ASSERT_TRUE(engine);
  Plan& plan = *engine->plan("detector");
  fill_inputs(plan, 1);
  const emulation::Counters before = emulation::counters();
  for (int repeat = 0; repeat < 3; ++repeat) ASSERT_TRUE(plan.run().ok());
  EXPECT_EQ(emulation::counters().allocations, before.allocations);
  EXPECT_EQ(emulation::counters().synchronisations, before.synchronisations + 3);
  EXPECT_EQ(emulation::counters().replays, before.replays + 3);
}

// Node by node with copies, as verify works: the same as the captured graph, and the caller's numbers reach the nodes.
TEST_F(EmulatedEngine, NodesRunOneByOne) {
  const auto engine = open({.device = "cuda", .precision = "fp32"});
  ASSERT_TRUE(engine);
  for (const char* graph : {"detector", "classifier"}) {
    Plan& plan = *engine->plan(graph);
    fill_inputs(plan, 3);
    ASSERT_TRUE(plan.run().ok());
    const std::string want = outputs_of(plan);
    fill_inputs(plan, 3);
    for (size_t n = 0; n < plan.nodes().size(); ++n) {
      const NodeInfo& node = plan.nodes()[n];
      if (node.constant) continue;
      ASSERT_TRUE(plan.run_node(n).ok());
      double relative = 0;
      EXPECT_GE(plan.tolerance(n, relative), 0);
      // What is read must come back unchanged when the next node takes it.
      for (const std::string& output : node.outputs) EXPECT_TRUE(plan.value(output).data) << output;
    }
    EXPECT_TRUE(outputs_of(plan) == want) << graph;
  }
  Plan& plan = *engine->plan("classifier");
  const NodeInfo& last = plan.nodes().back();
  const Tensor logits = plan.value(last.inputs[0]);  // of the sigmoid
  const std::string before = outputs_of(plan);
  for (int64_t i = 0; i < logits.elements(); ++i) logits.f32()[i] = 0;
  ASSERT_TRUE(plan.run_node(plan.nodes().size() - 1).ok());
  EXPECT_FALSE(outputs_of(plan) == before);
}

// No row of the cuda backend takes a stem of this size: the graph is refused, and not by running it elsewhere.
TEST(EmulatedEngineRows, ANodeThatNoKernelTakesIsRefused) {
  Graph graph;
  graph.name = "stem";
  const int picture = graph.add_input("picture", DType::f32, {1, 210, 210, 1});
  const int weight = graph.add_constant("weight", DType::f32, {200, 200, 1, 1});
  const int border = graph.add_constant("border", DType::f32, {1, 1, 1});
  const auto y =
      graph.add(OpId::conv2d_stem, "y", Conv2dStemParams{.stride = 1, .padding = 0}, {picture, weight, border});
  ASSERT_TRUE(y.ok()) << y.status().to_string();
  graph.outputs = {y.value()};
  const std::string path = testing::TempDir() + "/spinert_cuda_emulated_stem.safetensors";
  ASSERT_TRUE(graph_model::write(path, graph).ok());
  EXPECT_TRUE(Engine::open(path, {.device = "cpu"}).ok());
  const Status status = Engine::open(path, {.device = "cuda"}).status();
  EXPECT_EQ(status.id(), ErrorId::E_DEVICE);
  EXPECT_NE(status.message().find("too large for shared memory"), std::string::npos) << status.to_string();
}

}  // namespace
}  // namespace spinert
