// The rewrites of detector parts: the reduced network gives the same maps, boxes and scores with them; fpn_merge equals
// the two convolutions that it was folded from; and graphs that only resemble the pattern stay as they are.
#include <gtest/gtest.h>

#include <cmath>

#include "graph/fusion.h"
#include "kernels/base/compare.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/fpn_merge/fpn_merge.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/relu/relu.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"
#include "tests/support/graph_model.h"
#include "tests/support/graph_runner.h"
#include "tests/support/reduced_model.h"
#include "tests/support/scratch.h"

namespace spinert {
namespace {

constexpr FusionOptions kAll{.fpn_merge = true, .rpn_head = true};

class DetectorFusion : public Scratch {};

int count_ops(const Graph& graph, OpId op) {
  int found = 0;
  for (const Node& node : graph.nodes) found += node.op->id == op;
  return found;
}

std::string ops(const Graph& graph) {
  std::string text;
  for (const Node& node : graph.nodes) text += (text.empty() ? "" : " ") + std::string(node.op->name);
  return text;
}

TEST_F(DetectorFusion, ReducedNetworkKeepsItsMeaning) {
  const auto path = reduced::make(folder_);
  ASSERT_TRUE(path.ok()) << path.status().to_string();
  const auto model = ModelFile::open(path.value());
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  auto stored = stored_graph(model.value(), "detector"), fused = stored_graph(model.value(), "detector");
  ASSERT_TRUE(stored.ok() && fused.ok());
  const Status status = fuse(fused.value(), kAll);
  ASSERT_TRUE(status.ok()) << status.to_string();
  EXPECT_EQ(count_ops(fused.value(), OpId::rpn_head), 1);
  EXPECT_EQ(count_ops(fused.value(), OpId::fpn_merge), 1);
  for (const Node& node : fused.value().nodes) {
    if (node.op->id == OpId::rpn_head) {
      EXPECT_EQ(node.out.size(), 10u);
    }
  }

  auto want = GraphRunner::create(model.value(), std::move(stored).value());
  auto got = GraphRunner::create(model.value(), std::move(fused).value());
  ASSERT_TRUE(want.ok() && got.ok()) << want.status().to_string() << got.status().to_string();
  const Picture picture = reduced::picture(reduced::kCanvas, reduced::kCanvas, 5);
  for (GraphRunner* runner : {&want.value(), &got.value()}) {
    const Tensor canvas = runner->value("canvas");
    for (size_t i = 0; i < picture.value.size(); ++i) canvas.f32()[i] = picture.value[i];
    ASSERT_TRUE(runner->run().ok());
  }
  for (const char* name : {"fpn.0", "rpn.logits.0", "rpn.logits.4", "rpn.deltas.0", "rpn.deltas.4", "rpn.topk.count",
                           "count", "classes", "scores", "boxes"}) {
    const Tensor w = want.value().value(name);
    // A corner moves by the rounding of its deltas times the size of an anchor.
    const double bound = std::string(name) == "boxes" ? 1e-2 : 1e-4;
    const Comparison comparison = compare(got.value().value(name), w, {bound, 1e-4});
    EXPECT_GT(comparison.compared, 0) << name;
    EXPECT_TRUE(comparison.ok()) << name << ": " << comparison.describe(w.shape);
  }
}

TEST_F(DetectorFusion, OffUnlessAskedFor) {
  const auto path = reduced::make(folder_);
  ASSERT_TRUE(path.ok());
  const auto model = ModelFile::open(path.value());
  ASSERT_TRUE(model.ok());
  auto graph = stored_graph(model.value(), "detector");
  ASSERT_TRUE(graph.ok() && fuse(graph.value()).ok());
  EXPECT_EQ(count_ops(graph.value(), OpId::rpn_head) + count_ops(graph.value(), OpId::fpn_merge), 0);
  EXPECT_EQ(count_ops(graph.value(), OpId::conv2d_stem), 1);
  auto plain = stored_graph(model.value(), "detector");
  ASSERT_TRUE(plain.ok() && fuse(plain.value(), {.stem = false}).ok());
  EXPECT_EQ(count_ops(plain.value(), OpId::normalise), 1);
}

cases::Buffer filled(const Shape& shape, const std::string& data, uint64_t seed) {
  cases::Buffer buffer(DType::f32, shape);
  cases::fill(buffer.view(), data, seed);
  return buffer;
}

template <class Params>
void run_reference(OpId op, const Params& params, std::vector<Tensor> in, const Tensor& out) {
  const std::vector<Tensor> outputs = {out};
  const OpCall call{&params, in, outputs};
  choose_kernel(op, Backend::reference, Level::any, call)->kernel->run(call, {});
}

// The composed weights are rounded to float once, so that real numbers agree to about 1e-5 and small integers exactly.
TEST(FpnMerge, EqualsTheTwoConvolutions) {
  struct Row {
    int64_t n, h, w, q, c, o;
    bool lateral_bias, smooth_bias;
  };
  const Row rows[] = {{1, 1, 1, 1, 1, 1, true, true},    {1, 1, 4, 3, 5, 7, true, true},
                      {2, 5, 3, 4, 8, 8, true, true},    {1, 3, 1, 4, 8, 8, true, false},
                      {1, 4, 4, 4, 8, 8, false, true},   {1, 2, 2, 4, 8, 8, false, false},
                      {1, 8, 8, 64, 256, 16, true, true}};
  for (const Row& r : rows) {
    for (const std::string data : {"int", "real"}) {
      SCOPED_TRACE(data + " " + to_string(Shape{r.n, r.h, r.w, r.q, r.c}));
      const cases::Buffer fine = filled({r.n, 2 * r.h, 2 * r.w, r.q}, data, 1);
      const cases::Buffer coarse = filled({r.n, r.h, r.w, r.c}, data, 2);
      const cases::Buffer lateral = filled({1, 1, r.q, r.c}, data, 3), smooth = filled({3, 3, r.c, r.o}, data, 4);
      const cases::Buffer bias1 = filled({r.c}, data, 5), bias2 = filled({r.o}, data, 6);
      const Tensor lateral_bias = r.lateral_bias ? bias1.view() : Tensor{};
      const Tensor smooth_bias = r.smooth_bias ? bias2.view() : Tensor{};

      const cases::Buffer merged(DType::f32, {r.n, 2 * r.h, 2 * r.w, r.c});
      const cases::Buffer want(DType::f32, {r.n, 2 * r.h, 2 * r.w, r.o}), got(DType::f32, want.view().shape);
      run_reference(OpId::conv2d, Conv2dParams{.residual_upsample = 2},
                    {fine.view(), lateral.view(), lateral_bias, coarse.view()}, merged.view());
      run_reference(OpId::conv2d, Conv2dParams{.padding = 1}, {merged.view(), smooth.view(), smooth_bias}, want.view());

      const cases::Buffer weight(DType::f32, {fpn_merge_weight_rows(r.q, r.c), r.o}), border(DType::f32, {3, 3, r.o});
      fpn_merge_fold(lateral.view(), lateral_bias, smooth.view(), smooth_bias, weight.view(), border.view());
      run_reference(OpId::fpn_merge, FpnMergeParams{}, {fine.view(), weight.view(), border.view(), coarse.view()},
                    got.view());
      double largest = 0;
      for (int64_t i = 0; i < want.view().elements(); ++i) {
        largest = std::max(largest, double(std::abs(want.view().f32()[i])));
      }
      EXPECT_GT(largest, 0);
      const Comparison comparison =
          compare(got.view(), want.view(), {.absolute = data == "int" ? 0.0 : 1e-5 * largest, .relative = 0});
      EXPECT_TRUE(comparison.ok()) << comparison.describe(want.view().shape);
    }
  }
}

// A small graph in few words; every operator has one output, named after its position.
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
  int constant(const Shape& shape) { return graph.add_constant(name("w"), DType::f32, shape); }
  int conv(const std::vector<int>& in, const Conv2dParams& params) {
    return node(OpId::conv2d, std::make_shared<Conv2dParams>(params), in);
  }
  int relu(int x) { return node(OpId::relu, std::make_shared<ReluParams>(), {x}); }
  int pool(int x) { return node(OpId::max_pool2d, std::make_shared<MaxPool2dParams>(MaxPool2dParams{3, 1, 1}), {x}); }
  int upsample(int coarse, int fine) {
    return node(OpId::upsample_nearest2d, std::make_shared<UpsampleNearest2dParams>(), {coarse, fine});
  }
  void output(int v) { graph.outputs.push_back(v); }

  // Weights of a head for maps of 4 channels, and a level of it: {hidden, logits, deltas}.
  std::vector<int> head_weights(int64_t anchors = 2) {
    return {constant({3, 3, 4, 6}),           constant({6}),          constant({1, 1, 6, anchors}), constant({anchors}),
            constant({1, 1, 6, 4 * anchors}), constant({4 * anchors})};
  }
  std::vector<int> head(int map, const std::vector<int>& w) {
    const int hidden = relu(conv({map, w[0], w[1]}, {.padding = 1}));
    return {hidden, conv({hidden, w[2], w[3]}, {}), conv({hidden, w[4], w[5]}, {})};
  }
  void head_outputs(const std::vector<int>& level) {
    output(level[1]);
    output(level[2]);
  }
  // A pyramid level: the sum, from 2 fine and 5 coarse channels.
  int sum(int fine, int coarse) { return upsample(coarse, conv({fine, constant({1, 1, 2, 5}), constant({5})}, {})); }
  int smooth(int x) { return conv({x, constant({3, 3, 5, 6}), constant({6})}, {.padding = 1}); }
};

struct Topology {
  const char* name;
  const char* fused;  // operators that are left, in order
  void (*build)(Net&);
};

const Topology kTopologies[] = {
    {"a head of three levels", "rpn_head",
     [](Net& n) {
       const auto w = n.head_weights();
       for (const int64_t side : {8, 4, 2}) n.head_outputs(n.head(n.input({1, side, side + 1, 4}), w));
     }},
    {"a head of one level", "conv2d conv2d conv2d",
     [](Net& n) {
       n.head_outputs(n.head(n.input({1, 6, 6, 4}), n.head_weights()));
     }},
    {"deltas before logits", "rpn_head",
     [](Net& n) {
       const auto w = n.head_weights();
       for (const int64_t side : {5, 3}) {
         const auto level = n.head(n.input({1, side, side, 4}), {w[0], w[1], w[4], w[5], w[2], w[3]});
         n.output(level[1]);
         n.output(level[2]);
       }
     }},
    {"two heads with weights of their own", "rpn_head rpn_head",
     [](Net& n) {
       const int x = n.input({1, 5, 5, 4}), y = n.input({1, 3, 3, 4});
       const auto w = n.head_weights(), v = n.head_weights();
       for (const auto& weights : {w, v}) {
         n.head_outputs(n.head(x, weights));
         n.head_outputs(n.head(y, weights));
       }
     }},
    {"a map that is computed from a level before it", "max_pool2d rpn_head",
     [](Net& n) {
       const auto w = n.head_weights();
       const int x = n.input({1, 6, 6, 4});
       n.head_outputs(n.head(x, w));
       n.head_outputs(n.head(n.pool(x), w));
     }},
    {"a map that is computed from the logits of another level", "conv2d conv2d conv2d max_pool2d conv2d conv2d conv2d",
     [](Net& n) {
       const auto w = n.head_weights(4);
       const auto first = n.head(n.input({1, 6, 6, 4}), w);
       n.head_outputs(first);
       n.head_outputs(n.head(n.pool(first[1]), w));
     }},
    {"the hidden map is an output", "conv2d conv2d conv2d",
     [](Net& n) {
       const auto level = n.head(n.input({1, 6, 6, 4}), n.head_weights());
       n.output(level[0]);
       n.head_outputs(level);
     }},
    {"the hidden map has a third reader", "conv2d conv2d conv2d max_pool2d",
     [](Net& n) {
       const auto level = n.head(n.input({1, 6, 6, 4}), n.head_weights());
       n.head_outputs(level);
       n.output(n.pool(level[0]));
     }},
    {"two pictures", "conv2d conv2d conv2d",
     [](Net& n) {
       n.head_outputs(n.head(n.input({2, 6, 6, 4}), n.head_weights()));
     }},
    {"three deltas for an anchor", "conv2d conv2d conv2d",
     [](Net& n) {
       auto w = n.head_weights();
       w[4] = n.constant({1, 1, 6, 6});
       w[5] = n.constant({6});
       n.head_outputs(n.head(n.input({1, 6, 6, 4}), w));
     }},
    {"a head without a bias", "conv2d conv2d conv2d",
     [](Net& n) {
       auto w = n.head_weights();
       w[3] = kAbsent;
       n.head_outputs(n.head(n.input({1, 6, 6, 4}), w));
     }},
    {"nine levels",
     "conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d "
     "conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d conv2d",
     [](Net& n) {
       const auto w = n.head_weights();
       for (int l = 0; l < 9; ++l) n.head_outputs(n.head(n.input({1, 2, 3, 4}), w));
     }},
    {"a pyramid level", "fpn_merge",
     [](Net& n) {
       n.output(n.smooth(n.sum(n.input({2, 6, 4, 2}), n.input({2, 3, 2, 5}))));
     }},
    {"a pyramid of two levels: only the finest is fused", "conv2d conv2d fpn_merge",
     [](Net& n) {
       const int coarse = n.sum(n.input({1, 4, 4, 2}), n.input({1, 2, 2, 5}));
       n.output(n.smooth(coarse));
       n.output(n.smooth(n.sum(n.input({1, 8, 8, 2}), coarse)));
     }},
    {"the merged map is an output", "conv2d conv2d",
     [](Net& n) {
       const int merged = n.sum(n.input({1, 6, 4, 2}), n.input({1, 3, 2, 5}));
       n.output(merged);
       n.output(n.smooth(merged));
     }},
    {"an activation behind the sum", "conv2d conv2d",
     [](Net& n) {
       n.output(n.smooth(n.relu(n.sum(n.input({1, 6, 4, 2}), n.input({1, 3, 2, 5})))));
     }},
    {"an activation behind the level", "conv2d conv2d",
     [](Net& n) {
       n.output(n.relu(n.smooth(n.sum(n.input({1, 6, 4, 2}), n.input({1, 3, 2, 5})))));
     }},
    {"so many fine channels that apart is cheaper", "conv2d conv2d",
     [](Net& n) {
       const int fine = n.input({1, 4, 4, 9}), lateral = n.conv({fine, n.constant({1, 1, 9, 5}), n.constant({5})}, {});
       n.output(n.smooth(n.upsample(n.input({1, 2, 2, 5}), lateral)));
     }},
    {"a level without biases", "fpn_merge",
     [](Net& n) {
       const int lateral = n.conv({n.input({1, 4, 4, 2}), n.constant({1, 1, 2, 5})}, {});
       n.output(n.conv({n.upsample(n.input({1, 2, 2, 5}), lateral), n.constant({3, 3, 5, 6})}, {.padding = 1}));
     }},
    {"a stride behind the sum", "conv2d conv2d",
     [](Net& n) {
       const int merged = n.sum(n.input({1, 6, 4, 2}), n.input({1, 3, 2, 5}));
       n.output(n.conv({merged, n.constant({3, 3, 5, 6}), n.constant({6})}, {.stride = 2, .padding = 1}));
     }},
};

TEST_F(DetectorFusion, KeepsTheMeaningOfUnusualTopologies) {
  for (const Topology& topology : kTopologies) {
    SCOPED_TRACE(topology.name);
    Net net;
    topology.build(net);
    const Status written = graph_model::write(path("model.safetensors"), net.graph);
    ASSERT_TRUE(written.ok()) << written.to_string();
    const auto model = ModelFile::open(path("model.safetensors"));
    ASSERT_TRUE(model.ok()) << model.status().to_string();
    Graph fused = net.graph;
    const Status status = fuse(fused, kAll);
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_EQ(ops(fused), topology.fused);
    auto want = GraphRunner::create(model.value(), net.graph), got = GraphRunner::create(model.value(), fused);
    ASSERT_TRUE(want.ok() && got.ok()) << want.status().to_string() << got.status().to_string();
    for (GraphRunner* runner : {&want.value(), &got.value()}) {
      for (const int number : net.graph.inputs) {
        cases::fill(runner->value(net.graph.value(number).name), "real", static_cast<uint64_t>(number));
      }
      ASSERT_TRUE(runner->run().ok());
    }
    for (const int number : net.graph.outputs) {
      const std::string& name = net.graph.value(number).name;
      const Comparison comparison = compare(got.value().value(name), want.value().value(name), {1e-5, 1e-5});
      EXPECT_GT(comparison.compared, 0);
      EXPECT_TRUE(comparison.ok()) << name << ": " << comparison.describe(want.value().value(name).shape);
    }
  }
}

}  // namespace
}  // namespace spinert
