// The rewrites on unusual topologies: a graph gives the same outputs fused and as stored, on the reference and on the
// cpu backend, and what must not be fused stays as it is.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/add/add.h"
#include "kernels/base/compare.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/normalise/normalise.h"
#include "kernels/relu/relu.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"
#include "runtime/engine.h"
#include "tests/ops/op_case.h"
#include "tests/support/graph_model.h"
#include "tests/support/scratch.h"

namespace spinert {
namespace {

// A graph in few words. Values are numbers; every operator has one output, named after its position.
struct Net {
  Graph graph;
  Net() { graph.name = "g"; }

  std::string name(const char* kind) const { return kind + std::to_string(graph.values.size()); }
  int node(OpId op, std::shared_ptr<void> params, std::vector<int> in) {
    auto added = graph.add_node(op, {name("v")}, std::move(params), std::move(in));
    EXPECT_TRUE(added.ok()) << added.status().to_string();
    return added.ok() ? added.value() : 0;
  }
  int input(const Shape& shape, int count = kAbsent) { return graph.add_input(name("x"), DType::f32, shape, count); }
  int count() { return graph.add_input(name("count"), DType::i32, {1}); }
  int constant(const Shape& shape) { return graph.add_constant(name("w"), DType::f32, shape); }
  int conv_with(int x, int weight, int bias, const Conv2dParams& params) {
    return node(OpId::conv2d, std::make_shared<Conv2dParams>(params), {x, weight, bias});
  }
  // 3x3 with bias, from the channels of x to `out`.
  int conv(int x, int64_t out = 4, int64_t stride = 1) {
    const int weight = constant({3, 3, graph.value(x).type.shape[3], out}), bias = constant({out});
    return conv_with(x, weight, bias, {.stride = stride, .padding = 1});
  }
  int relu(int x, int64_t max = 0) { return node(OpId::relu, std::make_shared<ReluParams>(ReluParams{max}), {x}); }
  int add(int a, int b) { return node(OpId::add, std::make_shared<AddParams>(), {a, b}); }
  int upsample(int coarse, int fine) {
    return node(OpId::upsample_nearest2d, std::make_shared<UpsampleNearest2dParams>(), {coarse, fine});
  }
  int pool(int x) { return node(OpId::max_pool2d, std::make_shared<MaxPool2dParams>(MaxPool2dParams{3, 1, 1}), {x}); }
  int normalise(int x) {
    return node(OpId::normalise, std::make_shared<NormaliseParams>(NormaliseParams{{.4, .5, .6}, {.2, .3, .25}}), {x});
  }
  void output(int v) { graph.outputs.push_back(v); }
};

struct Topology {
  const char* name;
  const char* fused;  // operators that are left, in order
  void (*build)(Net&);
};

const Topology kTopologies[] = {
    {"convolution and relu", "conv2d",
     [](Net& n) {
       n.output(n.relu(n.conv(n.input({1, 6, 7, 4}))));
     }},
    {"residual block", "conv2d",
     [](Net& n) {
       const int x = n.input({2, 6, 6, 4});
       n.output(n.relu(n.add(n.conv(x), x), 6));
     }},
    {"the convolution is the second summand", "conv2d",
     [](Net& n) {
       const int x = n.input({2, 6, 6, 4});
       n.output(n.add(x, n.conv(x)));
     }},
    {"inverted residual: depthwise, relu6, a sum without activation", "conv2d conv2d conv2d",
     [](Net& n) {
       const int x = n.input({1, 7, 9, 4});
       const int expanded = n.relu(n.conv_with(x, n.constant({1, 1, 4, 24}), n.constant({24}), {}), 6);
       const int depthwise =
           n.conv_with(expanded, n.constant({3, 3, 1, 24}), n.constant({24}), {.padding = 1, .groups = 24});
       const int projected = n.conv_with(n.relu(depthwise, 6), n.constant({1, 1, 24, 4}), n.constant({4}), {});
       n.output(n.add(x, projected));
     }},
    {"the convolution is an output too", "conv2d relu",
     [](Net& n) {
       const int c = n.conv(n.input({1, 6, 6, 4}));
       n.output(c);
       n.output(n.relu(c));
     }},
    {"a sum of one value with itself", "conv2d add",
     [](Net& n) {
       const int c = n.conv(n.input({1, 6, 6, 4}));
       n.output(n.add(c, c));
     }},
    {"the residual depends on the convolution", "conv2d max_pool2d add",
     [](Net& n) {
       const int c = n.conv(n.input({1, 6, 6, 4}));
       n.output(n.add(c, n.pool(c)));
     }},
    {"the residual is computed after the convolution", "max_pool2d conv2d",
     [](Net& n) {
       const int x = n.input({1, 6, 6, 4}), c = n.conv(x);
       n.output(n.add(c, n.pool(x)));
     }},
    {"a sum of two convolutions", "conv2d conv2d",
     [](Net& n) {
       const int x = n.input({1, 6, 6, 4}), c = n.conv(x);
       n.output(n.relu(n.add(c, n.conv(x))));
     }},
    {"two sums in a row", "conv2d add",
     [](Net& n) {
       const int x = n.input({1, 6, 6, 4}), y = n.input({1, 6, 6, 4});
       n.output(n.add(n.add(n.conv(x), x), y));
     }},
    {"relu of an input", "relu",
     [](Net& n) {
       n.output(n.relu(n.input({3, 5})));
     }},
    {"two relus in a row", "conv2d relu",
     [](Net& n) {
       n.output(n.relu(n.relu(n.conv(n.input({1, 6, 6, 4})), 6)));
     }},
    {"relu before the sum", "conv2d add relu",
     [](Net& n) {
       const int x = n.input({1, 6, 6, 4});
       n.output(n.relu(n.add(n.relu(n.conv(x)), x)));
     }},
    {"a shared convolution", "conv2d relu add",
     [](Net& n) {
       const int x = n.input({1, 6, 6, 4}), c = n.conv(x);
       n.output(n.relu(c));
       n.output(n.add(c, x));
     }},
    {"upsampling of one convolution onto another", "conv2d conv2d",
     [](Net& n) {
       const int x = n.input({2, 8, 6, 4}), coarse = n.conv(x, 5, 2);
       n.output(n.upsample(coarse, n.conv(x, 5)));
     }},
    {"upsampling onto a convolution computed before the coarse map", "conv2d conv2d",
     [](Net& n) {
       const int x = n.input({2, 8, 6, 4}), fine = n.conv(x, 5);
       n.output(n.upsample(n.conv(x, 5, 2), fine));
     }},
    {"upsampling onto an input", "conv2d upsample_nearest2d",
     [](Net& n) {
       const int x = n.input({1, 8, 8, 4});
       n.output(n.upsample(n.conv(x, 4, 2), x));
     }},
    {"upsampling, then another sum", "conv2d conv2d add",
     [](Net& n) {
       const int x = n.input({1, 8, 8, 4});
       n.output(n.add(n.upsample(n.conv(x, 4, 2), n.conv(x)), x));
     }},
    {"linear and relu6", "linear",
     [](Net& n) {
       const int x = n.input({3, 2, 2, 4}), w = n.constant({16, 5}), b = n.constant({5});
       n.output(n.relu(n.node(OpId::linear, std::make_shared<LinearParams>(), {x, w, b}), 6));
     }},
    {"a sum of linear layers", "linear linear add",
     [](Net& n) {
       const int x = n.input({3, 16}), w = n.constant({16, 5});
       const int a = n.node(OpId::linear, std::make_shared<LinearParams>(), {x, w});
       n.output(n.add(a, n.node(OpId::linear, std::make_shared<LinearParams>(), {x, w})));
     }},
    {"both summands have one count", "conv2d",
     [](Net& n) {
       const int x = n.input({4, 6, 6, 4}, n.count());
       n.output(n.add(n.conv(x), x));
     }},
    {"only the other summand has a count", "conv2d add",
     [](Net& n) {
       const int counted = n.input({4, 6, 6, 4}, n.count()), x = n.input({4, 6, 6, 4});
       n.output(n.add(counted, n.conv(x)));
     }},
    {"the summands have different counts", "conv2d add",
     [](Net& n) {
       const int a = n.input({4, 6, 6, 4}, n.count()), b = n.input({4, 6, 6, 4}, n.count());
       n.output(n.add(a, n.conv(b)));
     }},
    {"stem", "conv2d_stem",
     [](Net& n) {
       n.output(n.relu(n.conv(n.normalise(n.input({1, 9, 8, 1})), 4, 2)));
     }},
    {"the normalised picture is an output", "normalise conv2d_stem",
     [](Net& n) {
       const int v = n.normalise(n.input({1, 9, 8, 1}));
       n.output(v);
       n.output(n.conv(v));
     }},
    {"the normalised picture is read twice", "normalise conv2d_stem max_pool2d conv2d_stem",
     [](Net& n) {
       const int v = n.normalise(n.input({1, 9, 8, 1}));
       n.output(n.conv(v));
       n.output(n.pool(v));
       n.output(n.conv(v));
     }},
    {"the bias of the stem is an input", "normalise conv2d",
     [](Net& n) {
       const int v = n.normalise(n.input({1, 9, 8, 1})), bias = n.input({4});
       n.output(n.conv_with(v, n.constant({3, 3, 3, 4}), bias, {.padding = 1}));
     }},
    {"a stem with much padding", "normalise conv2d",
     [](Net& n) {
       const int v = n.normalise(n.input({1, 9, 8, 1}));
       n.output(n.conv_with(v, n.constant({3, 3, 3, 4}), kAbsent, {.stride = 8, .padding = 65}));
     }},
    {"a stem with a kernel larger than the picture", "conv2d_stem",
     [](Net& n) {
       const int v = n.normalise(n.input({1, 5, 8, 1}));
       n.output(n.conv_with(v, n.constant({9, 9, 3, 4}), kAbsent, {.padding = 4}));
     }},
    {"a stem with dilation", "normalise conv2d",
     [](Net& n) {
       const int v = n.normalise(n.input({1, 9, 8, 1}));
       n.output(n.conv_with(v, n.constant({3, 3, 3, 4}), kAbsent, {.dilation = 2}));
     }},
    {"a stem with a residual", "normalise conv2d",
     [](Net& n) {
       const int x = n.input({1, 8, 8, 1}), r = n.input({1, 8, 8, 4});
       n.output(n.add(n.conv(n.normalise(x)), r));
     }},
    {"the weight of a stem is shared", "conv2d_stem conv2d",
     [](Net& n) {
       const int x = n.input({1, 9, 8, 1}), y = n.input({1, 7, 7, 3}), w = n.constant({3, 3, 3, 4});
       n.output(n.conv_with(n.normalise(x), w, kAbsent, {.padding = 1}));
       n.output(n.conv_with(y, w, kAbsent, {}));
     }},
    {"a weight packed for two kernels and read as it is", "conv2d conv2d add",
     [](Net& n) {
       const int x = n.input({1, 8, 8, 32}), y = n.input({1, 5, 5, 32}), z = n.input({3, 3, 32, 32});
       const int w = n.constant({3, 3, 32, 32});
       n.output(n.conv_with(x, w, kAbsent, {.padding = 1}));
       n.output(n.conv_with(y, w, kAbsent, {.padding = 1}));
       n.output(n.add(z, w));
     }},
};

class Fusion : public Scratch {};

struct Outcome {
  std::string ops;
  std::vector<std::vector<float>> outputs;  // rows in use
};

Outcome run_model(const std::string& model, const Graph& graph, const EngineOptions& options) {
  Outcome result;
  auto engine = Engine::open(model, options);
  EXPECT_TRUE(engine.ok()) << engine.status().to_string();
  if (!engine.ok()) return result;
  Plan& plan = *engine.value()->plan("g");
  for (const NodeInfo& node : plan.nodes()) result.ops += (result.ops.empty() ? "" : " ") + node.op;
  int32_t rows = 2;
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Tensor tensor = plan.tensor(graph.value(graph.inputs[i]).name);
    if (tensor.dtype == DType::i32) {
      *tensor.i32() = rows++;
    } else {
      for (int64_t e = 0; e < tensor.elements(); ++e) {
        tensor.f32()[e] = cases::random_uniform(100 + i, static_cast<uint64_t>(e));
      }
    }
  }
  EXPECT_TRUE(plan.run().ok());
  for (const int output : graph.outputs) {
    const Tensor tensor = plan.tensor(graph.value(output).name);
    EXPECT_NE(tensor.data, nullptr);
    if (!tensor.data) return result;
    const int64_t n = tensor.rows() * (tensor.elements() / tensor.shape[0]);
    EXPECT_GT(n, 0);
    result.outputs.emplace_back(tensor.f32(), tensor.f32() + n);
  }
  return result;
}

TEST_F(Fusion, KeepsTheMeaningOfUnusualTopologies) {
  for (const Topology& topology : kTopologies) {
    SCOPED_TRACE(topology.name);
    Net net;
    topology.build(net);
    const std::string model = path("model.safetensors");
    const Status written = graph_model::write(model, net.graph);
    ASSERT_TRUE(written.ok()) << written.to_string();
    const Outcome want = run_model(model, net.graph, {.device = "reference", .fuse = false});
    for (const EngineOptions& options : {EngineOptions{.device = "reference"}, EngineOptions{.device = "cpu"},
                                         EngineOptions{.device = "cpu", .isa = "scalar", .threads = 3}}) {
      SCOPED_TRACE(options.device + options.isa);
      const Outcome got = run_model(model, net.graph, options);
      EXPECT_EQ(got.ops, topology.fused);
      ASSERT_EQ(got.outputs.size(), want.outputs.size());
      for (size_t o = 0; o < want.outputs.size(); ++o) {
        ASSERT_EQ(got.outputs[o].size(), want.outputs[o].size()) << "rows in use of output " << o;
        for (size_t i = 0; i < want.outputs[o].size(); ++i) {
          ASSERT_NEAR(got.outputs[o][i], want.outputs[o][i], 2e-4) << "output " << o << " element " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace spinert
