// Mixed precision as a pass over a graph: the type of every value of both reduced networks, and how f32 reaches back
// where an operator cannot convert.
#include <gtest/gtest.h>

#include <algorithm>

#include "graph/fusion.h"
#include "graph/precision.h"
#include "kernels/add/add.h"
#include "kernels/base/half.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "tests/support/graph_runner.h"
#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"

namespace spinert {
namespace {

class Precision : public Scratch {
 protected:
  // A graph of the reduced model in mixed precision.
  Graph mixed(const std::string& name, DType half, const FusionOptions* options) {
    const auto path = reduced::make(folder_);
    EXPECT_TRUE(path.ok()) << path.status().to_string();
    const auto model = ModelFile::open(path.value());
    EXPECT_TRUE(model.ok()) << model.status().to_string();
    auto graph = stored_graph(model.value(), name);
    EXPECT_TRUE(graph.ok()) << graph.status().to_string();
    if (options) {
      EXPECT_TRUE(fuse(graph.value(), *options).ok());
    }
    const Status status = set_half_activations(graph.value(), half);
    EXPECT_TRUE(status.ok()) << status.to_string();
    return std::move(graph).value();
  }
};

// Every value that a node computes is `half` if its name begins with one of the words, else f32 or an integer.
void expect_halves(const Graph& graph, DType half, const std::vector<std::string>& words) {
  int halves = 0;
  for (const Node& node : graph.nodes) {
    for (const int number : node.out) {
      const Value& value = graph.value(number);
      const bool want = std::ranges::any_of(words, [&](const auto& word) { return value.name.starts_with(word); });
      EXPECT_EQ(value.type.dtype == half, want) << value.name << " is " << dtype_name(value.type.dtype);
      EXPECT_TRUE(want || !is_half(value.type.dtype)) << value.name;
      halves += want;
    }
  }
  EXPECT_GT(halves, 0);
  for (const Value& value : graph.values) {
    EXPECT_TRUE(value.kind == Value::Kind::computed || !is_half(value.type.dtype)) << value.name;
  }
}

TEST_F(Precision, Detector) {
  const FusionOptions all{.fpn_merge = true, .rpn_head = true}, some{};
  for (const DType half : {DType::f16, DType::bf16}) {
    expect_halves(mixed("detector", half, &all), half, {"body.", "fpn.", "roi", "head.fc"});
    expect_halves(mixed("detector", half, &some), half, {"body.", "fpn.", "roi", "head.fc", "rpn.hidden"});
    expect_halves(mixed("detector", half, nullptr), half,
                  {"body.", "fpn.", "roi", "head.fc", "rpn.hidden", "rpn.conv"});
  }
}

TEST_F(Precision, Classifier) {
  const FusionOptions some{};
  for (const DType half : {DType::f16, DType::bf16}) {
    expect_halves(mixed("classifier", half, &some), half, {"stem", "maxpool", "layer", "avgpool"});
    expect_halves(mixed("classifier", half, nullptr), half, {"stem", "conv1", "maxpool", "layer", "avgpool"});
  }
}

TEST_F(Precision, ParametersAreCopies) {
  const auto path = reduced::make(folder_);
  ASSERT_TRUE(path.ok());
  const auto model = ModelFile::open(path.value());
  ASSERT_TRUE(model.ok());
  auto stored = stored_graph(model.value(), "classifier");
  ASSERT_TRUE(stored.ok() && fuse(stored.value()).ok());
  Graph changed = stored.value();
  ASSERT_TRUE(set_half_activations(changed, DType::f16).ok());
  const Status again = stored.value().infer();
  ASSERT_TRUE(again.ok()) << again.to_string();
  for (const Value& value : stored.value().values) EXPECT_FALSE(is_half(value.type.dtype)) << value.name;
}

TEST(PrecisionRules, NeedAHalfType) {
  Graph graph;
  for (const DType type : {DType::f32, DType::i8, DType::none}) EXPECT_FALSE(set_half_activations(graph, type).ok());
}

// x -> a -> b ... with 3x3 convolutions of four channels.
struct Chain {
  Graph graph;
  int weight;

  Chain() : weight(graph.add_constant("w", DType::f32, {3, 3, 4, 4})) {}
  int input(const char* name) { return graph.add_input(name, DType::f32, {1, 6, 6, 4}); }
  int conv(const char* name, int x, int residual = kAbsent) {
    return graph.add(OpId::conv2d, name, Conv2dParams{.padding = 1}, {x, weight, kAbsent, residual}).value();
  }
  int pool(const char* name, int x) { return graph.add(OpId::max_pool2d, name, MaxPool2dParams{3, 1, 1}, {x}).value(); }
  int sum(const char* name, int a, int b) { return graph.add(OpId::add, name, AddParams{}, {a, b}).value(); }
  // "f16 f32 ...": types of the computed values in order.
  std::string types() {
    const Status status = set_half_activations(graph, DType::f16);
    if (!status.ok()) return status.to_string();
    std::string text;
    for (const Node& node : graph.nodes) {
      text += (text.empty() ? "" : " ") + std::string(dtype_name(graph.value(node.out[0]).type.dtype));
    }
    return text;
  }
};

TEST(PrecisionRules, AnOutputBehindAPoolMakesTheConvolutionWiden) {
  Chain c;
  c.graph.outputs = {c.pool("c", c.conv("b", c.conv("a", c.input("x"))))};
  EXPECT_EQ(c.types(), "f16 f32 f32");
}

TEST(PrecisionRules, ASumWithAnInputStaysWide) {
  Chain c;
  const int x = c.input("x"), a = c.conv("a", x);
  c.graph.outputs = {c.conv("d", c.conv("c", c.sum("b", a, x)))};
  EXPECT_EQ(c.types(), "f32 f32 f16 f32");
}

TEST(PrecisionRules, AnInputAsResidualMakesTheConvolutionReadF32) {
  Chain c;
  const int x = c.input("x"), a = c.conv("a", x), b = c.conv("b", a, x);
  c.graph.outputs = {c.conv("c", b)};
  EXPECT_EQ(c.types(), "f32 f16 f32");
}

TEST(PrecisionRules, AnOutputInTheMiddleIsF32ForItsReadersToo) {
  Chain c;
  const int a = c.conv("a", c.input("x")), b = c.conv("b", a), d = c.conv("d", c.conv("c", b), a);
  c.graph.outputs = {b, d};
  EXPECT_EQ(c.types(), "f16 f32 f16 f32");
}

}  // namespace
}  // namespace spinert
