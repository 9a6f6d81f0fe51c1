// fusion_detector.cpp - rewrites for parts that detectors have: a pyramid level as one convolution of two maps, and the
// proposal head on all levels in one call.
#include <array>
#include <map>

#include "graph/fusion.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/fpn_merge/fpn_merge.h"
#include "kernels/rpn_head/rpn_head.h"

namespace spinert {
namespace {

constexpr size_t kX = 0, kWeight = 1, kBias = 2, kResidual = 3;

int input(const Node& node, size_t i) {
  return i < node.in.size() ? node.in[i] : kAbsent;
}

bool is_constant(const Graph& graph, int number) {
  return graph.value(number).kind == Value::Kind::constant;
}

// A conv2d with that square kernel that keeps height and width, has that activation, and whose operands are constants.
bool is_conv(const Graph& graph, const Node& node, int64_t kernel, Activation activation) {
  if (node.op->id != OpId::conv2d) return false;
  const auto& p = node.as<Conv2dParams>();
  const Shape& w = graph.value(node.in[kWeight]).type.shape;
  const int bias = input(node, kBias);
  return w[0] == kernel && w[1] == kernel && p.stride == 1 && p.padding == kernel / 2 && p.dilation == 1 &&
         p.groups == 1 && p.activation == activation && p.output == DType::none &&
         is_constant(graph, node.in[kWeight]) && (bias == kAbsent || is_constant(graph, bias));
}

// A level of a proposal head: numbers of its nodes.
struct HeadLevel {
  int hidden, logits, deltas;
};
// Weight and bias of its three convolutions.
using HeadWeights = std::array<int, 6>;

bool find_head_level(const Graph& graph, int n, HeadLevel& level, HeadWeights& weights) {
  const Node& hidden = graph.nodes[static_cast<size_t>(n)];
  if (!is_conv(graph, hidden, 3, Activation::relu) || input(hidden, kResidual) != kAbsent) return false;
  const TensorType& map = graph.value(hidden.in[kX]).type;
  const std::vector<int> readers = graph.consumers(hidden.out[0]);
  if (map.shape[0] != 1 || map.count != -1 || readers.size() != 2 || graph.is_output(hidden.out[0])) return false;
  const auto channels = [&](int node) {
    return graph.value(graph.nodes[static_cast<size_t>(node)].out[0]).type.shape.last();
  };
  level = {n, readers[0], readers[1]};
  if (channels(level.logits) > channels(level.deltas)) std::swap(level.logits, level.deltas);
  if (channels(level.deltas) != 4 * channels(level.logits)) return false;
  size_t filled = 0;
  for (const int number : {level.hidden, level.logits, level.deltas}) {
    const Node& node = graph.nodes[static_cast<size_t>(number)];
    if (number != n && (!is_conv(graph, node, 1, Activation::none) || node.in[kX] != hidden.out[0])) return false;
    if (input(node, kBias) == kAbsent || input(node, kResidual) != kAbsent) return false;
    weights[filled++] = node.in[kWeight];
    weights[filled++] = node.in[kBias];
  }
  return true;
}

// One node at the place of the last level's first convolution: every map exists there. Nothing may read an output
// before it.
bool fuse_head(Graph& graph, const std::vector<HeadLevel>& levels, const HeadWeights& weights) {
  // One level has no call to save, and the plain rows know more shapes.
  if (levels.size() < 2 || levels.size() > kRpnHeadMaxLevels) return false;
  const auto node = [&](int n) -> const Node& { return graph.nodes[static_cast<size_t>(n)]; };
  const int place = levels.back().hidden;
  const DType type = graph.value(node(place).in[kX]).type.dtype;
  std::vector<bool> replaced(graph.nodes.size(), false);
  Node head{node(levels.front().hidden).name, &op_info(OpId::rpn_head), std::make_shared<RpnHeadParams>(), {}, {}};
  head.in.push_back(node(levels.front().hidden).in[kX]);
  head.in.insert(head.in.end(), weights.begin(), weights.end());
  for (const HeadLevel& level : levels) {
    if (graph.value(node(level.hidden).in[kX]).type.dtype != type) return false;
    for (const int n : {level.hidden, level.logits, level.deltas}) replaced[static_cast<size_t>(n)] = true;
    for (const int n : {level.logits, level.deltas}) {
      for (const int reader : graph.consumers(node(n).out[0])) {
        if (reader < place) return false;
      }
    }
    if (level.hidden != levels.front().hidden) head.in.push_back(node(level.hidden).in[kX]);
    head.out.push_back(node(level.logits).out[0]);
  }
  for (const HeadLevel& level : levels) head.out.push_back(node(level.deltas).out[0]);

  std::vector<Node> kept;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (static_cast<int>(n) == place) kept.push_back(head);
    if (!replaced[n]) kept.push_back(std::move(graph.nodes[n]));
  }
  graph.nodes = std::move(kept);
  return true;
}

bool fuse_any_head(Graph& graph) {
  std::map<HeadWeights, std::vector<HeadLevel>> heads;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    HeadLevel level{};
    HeadWeights weights{};
    if (find_head_level(graph, static_cast<int>(n), level, weights)) heads[weights].push_back(level);
  }
  for (const auto& [weights, levels] : heads) {
    if (fuse_head(graph, levels, weights)) return true;  // every number of a node is stale now
  }
  return false;
}

// The 3x3 convolution `n` of a sum that nobody else reads.
bool fuse_level(Graph& graph, size_t n) {
  const Node& smooth = graph.nodes[n];
  if (!is_conv(graph, smooth, 3, Activation::none) || input(smooth, kResidual) != kAbsent) return false;
  const int merged = smooth.in[kX], source = graph.producer(merged);
  if (source < 0 || graph.consumers(merged).size() != 1 || graph.is_output(merged)) return false;
  const Node& lateral = graph.nodes[static_cast<size_t>(source)];
  if (!is_conv(graph, lateral, 1, Activation::none) || input(lateral, kResidual) == kAbsent) return false;
  if (lateral.as<Conv2dParams>().residual_upsample != 2) return false;
  const TensorType &fine = graph.value(lateral.in[kX]).type, &coarse = graph.value(lateral.in[kResidual]).type;
  if (coarse.count != fine.count || coarse.count_scale != fine.count_scale) return false;
  const int64_t outputs = graph.value(smooth.in[kWeight]).type.shape[3];
  const int64_t rows = fpn_merge_weight_rows(fine.shape[3], coarse.shape[3]);
  // Products of one output pixel, together against apart. Every factor is below 2^31.
  const double q = double(fine.shape[3]), c = double(coarse.shape[3]), o = double(outputs);
  const double together = (double(kFpnFineTaps) * q + double(kFpnCoarseTaps) * c) * o;
  if (together > q * c + double(kFpnFineTaps) * c * o || rows > kMaxElements / outputs) return false;

  const int lateral_bias = input(lateral, kBias), smooth_bias = input(smooth, kBias);
  DerivedConstant fold;
  fold.sources = {lateral.in[kWeight], smooth.in[kWeight]};
  for (const int bias : {lateral_bias, smooth_bias}) {
    if (bias != kAbsent) fold.sources.push_back(bias);
  }
  const std::string name = smooth.name;
  fold.compute = [has_lateral = lateral_bias != kAbsent, has_smooth = smooth_bias != kAbsent](
                     const std::vector<Tensor>& from, const std::vector<Tensor>& to) {
    const Tensor first = has_lateral ? from[2] : Tensor{}, second = has_smooth ? from.back() : Tensor{};
    fpn_merge_fold(from[0], first, from[1], second, to[0], to[1]);
  };
  Node merge{name, &op_info(OpId::fpn_merge), std::make_shared<FpnMergeParams>(), {}, smooth.out};
  const int fine_map = lateral.in[kX], coarse_map = lateral.in[kResidual];
  fold.results = {graph.add_derived(name + ".merge_weight", DType::f32, {rows, outputs}),
                  graph.add_derived(name + ".merge_border", DType::f32, {3, 3, outputs})};
  merge.in = {fine_map, fold.results[0], fold.results[1], coarse_map};
  graph.derived.push_back(std::move(fold));
  graph.nodes[n] = std::move(merge);
  graph.nodes.erase(graph.nodes.begin() + source);
  return true;
}

}  // namespace

void fuse_fpn_merge(Graph& graph) {
  for (size_t n = 0; n < graph.nodes.size();) {
    if (!fuse_level(graph, n)) ++n;  // a fused node moved down by one place
  }
}

void fuse_rpn_head(Graph& graph) {
  while (fuse_any_head(graph)) {
  }
}

}  // namespace spinert
