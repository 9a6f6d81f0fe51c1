#include "graph/fusion.h"

#include <algorithm>
#include <span>

#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d_stem/conv2d_stem.h"
#include "kernels/linear/linear.h"
#include "kernels/normalise/normalise.h"
#include "kernels/relu/relu.h"

namespace spinert {
namespace {

constexpr size_t kConvInputs = 4, kBias = 2, kResidual = 3;

// Larger kernels and paddings are no stem; folding them would take longer than it saves.
constexpr int64_t kMaxStemKernel = 32, kMaxStemPadding = 64;

// The node that computes `number` if it is one of `ops` and its result goes nowhere else; else -1.
int sole_producer(const Graph& graph, int number, std::initializer_list<OpId> ops) {
  const int n = graph.producer(number);
  if (n < 0 || graph.consumers(number).size() != 1 || graph.is_output(number)) return -1;
  return std::ranges::find(ops, graph.nodes[static_cast<size_t>(n)].op->id) == ops.end() ? -1 : n;
}

Activation* activation_of(Node& node) {
  if (node.op->id == OpId::conv2d) return &node.as<Conv2dParams>().activation;
  if (node.op->id == OpId::linear) return &node.as<LinearParams>().activation;
  return nullptr;
}

// Node `from` takes over the output and the place of node `into`: at that place every input of both exists.
void absorb(Graph& graph, int from, int into) {
  Node merged = graph.nodes[static_cast<size_t>(from)];
  merged.out = graph.nodes[static_cast<size_t>(into)].out;
  graph.nodes[static_cast<size_t>(into)] = std::move(merged);
  graph.nodes.erase(graph.nodes.begin() + from);
}

bool fuse_relu(Graph& graph, int n) {
  Node& relu = graph.nodes[static_cast<size_t>(n)];
  const int source = sole_producer(graph, relu.in[0], {OpId::conv2d, OpId::linear});
  if (source < 0) return false;
  Activation* activation = activation_of(graph.nodes[static_cast<size_t>(source)]);
  if (*activation != Activation::none) return false;
  *activation = relu.as<ReluParams>().max == 6 ? Activation::relu6 : Activation::relu;
  absorb(graph, source, n);
  return true;
}

// sum = convolution (input `sum_input` of node n) + other: `other` becomes the residual.
bool fuse_residual(Graph& graph, int n, size_t sum_input, int other, int64_t upsample) {
  const int number = graph.nodes[static_cast<size_t>(n)].in[sum_input];
  const int source = sole_producer(graph, number, {OpId::conv2d});
  if (source < 0) return false;
  Node& conv = graph.nodes[static_cast<size_t>(source)];
  auto& params = conv.as<Conv2dParams>();
  conv.in.resize(kConvInputs, kAbsent);
  if (params.activation != Activation::none || conv.in[kResidual] != kAbsent) return false;
  // The sum has the rows of its own first input; the convolution has those of x. Both must be the same count.
  const TensorType &before = graph.value(number).type,
                   &after = graph.value(graph.nodes[static_cast<size_t>(n)].out[0]).type;
  if (before.count != after.count || before.count_scale != after.count_scale) return false;
  conv.in[kResidual] = other;
  params.residual_upsample = upsample;
  absorb(graph, source, n);
  return true;
}

bool fuse_node(Graph& graph, int n) {
  const Node& node = graph.nodes[static_cast<size_t>(n)];
  switch (node.op->id) {
    case OpId::relu: return fuse_relu(graph, n);
    case OpId::add: return fuse_residual(graph, n, 0, node.in[1], 1) || fuse_residual(graph, n, 1, node.in[0], 1);
    case OpId::upsample_nearest2d: return fuse_residual(graph, n, 1, node.in[0], 2);
    default: return false;
  }
}

}  // namespace

void fuse_epilogues(Graph& graph) {
  // Parameters are shared with the stored graph; the rewrite changes its own copy.
  for (Node& node : graph.nodes) {
    if (node.op->id == OpId::conv2d) node.params = std::make_shared<Conv2dParams>(node.as<Conv2dParams>());
    if (node.op->id == OpId::linear) node.params = std::make_shared<LinearParams>(node.as<LinearParams>());
  }
  // sigmoid stays a node of its own: it costs nothing beside its layer, and the logits stay visible.
  for (size_t n = 0; n < graph.nodes.size();) {
    if (!fuse_node(graph, static_cast<int>(n))) ++n;  // a fused node moved down by one place
  }
}

Status fuse_stem(Graph& graph) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& conv = graph.nodes[n];
    if (conv.op->id != OpId::conv2d) continue;
    const int source = graph.producer(conv.in[0]);
    if (source < 0 || graph.nodes[static_cast<size_t>(source)].op->id != OpId::normalise) continue;
    const auto& params = conv.as<Conv2dParams>();
    if (params.groups != 1 || params.dilation != 1 || params.padding > kMaxStemPadding ||
        (conv.in.size() > kResidual && conv.in[kResidual] != kAbsent)) {
      continue;
    }
    const auto normalise = graph.nodes[static_cast<size_t>(source)].as<NormaliseParams>();
    const int grey = graph.nodes[static_cast<size_t>(source)].in[0], weight_in = conv.in[1];
    const int bias = conv.in.size() > kBias ? conv.in[kBias] : kAbsent;
    const Shape x = graph.value(grey).type.shape, w = graph.value(weight_in).type.shape;
    const Shape y = graph.value(conv.out[0]).type.shape;
    // The fold runs when constants are loaded: it can read nothing else.
    if (bias != kAbsent && graph.value(bias).kind != Value::Kind::constant) continue;
    if (w[0] > kMaxStemKernel || w[1] > kMaxStemKernel) continue;
    const StemClasses rows = stem_classes(x[1], y[1], w[0], params.stride, params.padding);
    const StemClasses columns = stem_classes(x[2], y[2], w[1], params.stride, params.padding);

    Node stem{conv.name, &op_info(OpId::conv2d_stem), nullptr, {}, conv.out};
    stem.params =
        std::make_shared<Conv2dStemParams>(Conv2dStemParams{params.stride, params.padding, params.activation});
    DerivedConstant fold;
    fold.sources = {weight_in};
    if (bias != kAbsent) fold.sources.push_back(bias);
    fold.results = {graph.add_derived(conv.name + ".stem_weight", DType::f32, {w[0], w[1], 1, w[3]}),
                    graph.add_derived(conv.name + ".stem_border", DType::f32, {rows.count, columns.count, w[3]})};
    fold.compute = [=, stride = params.stride, padding = params.padding](const std::vector<Tensor>& from,
                                                                         const std::vector<Tensor>& to) {
      conv2d_stem_fold(from[0], from.size() > 1 ? from[1] : Tensor{}, normalise.mean, normalise.std, rows, columns,
                       x[1], x[2], stride, padding, to[0], to[1]);
    };
    stem.in = {grey, fold.results[0], fold.results[1]};
    graph.derived.push_back(std::move(fold));
    graph.nodes[n] = std::move(stem);
  }
  // A normalise that nobody reads any more is dead.
  for (size_t n = graph.nodes.size(); n-- > 0;) {
    const Node& node = graph.nodes[n];
    if (node.op->id == OpId::normalise && !graph.is_output(node.out[0]) && graph.consumers(node.out[0]).empty()) {
      graph.nodes.erase(graph.nodes.begin() + static_cast<std::ptrdiff_t>(n));
    }
  }
  return {};
}

Status fuse(Graph& graph, const FusionOptions& options) {
  fuse_epilogues(graph);
  if (options.stem) SPINERT_TRY(fuse_stem(graph));
  if (options.fpn_merge) fuse_fpn_merge(graph);
  if (options.rpn_head) fuse_rpn_head(graph);
  return graph.infer();
}

}  // namespace spinert
