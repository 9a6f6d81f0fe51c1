#include "graph/resize.h"

#include "kernels/box_decode/box_decode.h"
#include "kernels/conv2d_stem/conv2d_stem.h"
#include "kernels/roi_align/roi_align.h"

namespace spinert {
namespace {

bool is_picture(const Value& value) {
  return value.type.shape.rank == 4 && value.type.shape[0] == 1 && value.type.count == kAbsent;
}

Status refuse(const Graph& graph, const std::string& node, const std::string& why) {
  return error(ErrorId::E_MODEL_ARCH, "the graph does not fit pictures of another size: " + why,
               "graph " + graph.name + (node.empty() ? "" : ", node " + node))
      .hint("Use the fixed canvas.");
}

// Whether the border table of one axis holds for both extents. Behind the leading classes it depends on the distance
// of the last windows from the end alone, which a whole number of strides does not change.
bool same_classes(int64_t before, int64_t after, int64_t kernel, const Conv2dStemParams& p) {
  const auto classes = [&](int64_t extent, int64_t& trailing) {
    const int64_t out = (extent + 2 * p.padding - kernel) / p.stride + 1;
    const StemClasses found = stem_classes(extent, out, kernel, p.stride, p.padding);
    trailing = out - found.trailing_begin;
    return found;
  };
  int64_t trailing_before = 0, trailing_after = 0;
  const StemClasses a = classes(before, trailing_before), b = classes(after, trailing_after);
  const bool apart = before >= kernel + p.padding && after >= kernel + p.padding;  // no window passes both ends
  return apart && (before - after) % p.stride == 0 && a.leading == b.leading && trailing_before == trailing_after;
}

// The parameters that name extents of the picture.
Status resize_params(const Graph& graph, Node& node, const Shape& from, const Shape& to) {
  if (node.op->id == OpId::box_decode) {
    auto params = std::make_shared<BoxDecodeParams>(node.as<BoxDecodeParams>());
    if (params->height != from[1] || params->width != from[2]) return refuse(graph, node.name, "it clips elsewhere");
    params->height = to[1];
    params->width = to[2];
    node.params = std::move(params);
  } else if (node.op->id == OpId::roi_align) {
    auto params = std::make_shared<RoiAlignParams>(node.as<RoiAlignParams>());
    if (params->canvas != from[1]) return refuse(graph, node.name, "its regions lie elsewhere");
    params->canvas = to[1];
    node.params = std::move(params);
  }
  return {};
}

// What the shapes of the new graph must not change: the border table of a stem, and the strides of feature maps, one
// for both axes.
Status check_node(const Graph& graph, const Graph& before, const Node& node, const Shape& from, const Shape& to) {
  if (node.op->id == OpId::conv2d_stem) {
    const Shape &was = before.value(node.in[0]).type.shape, &is = graph.value(node.in[0]).type.shape;
    const Shape& kernel = graph.value(node.in[1]).type.shape;
    const auto& p = node.as<Conv2dStemParams>();
    if (!same_classes(was[1], is[1], kernel[0], p) || !same_classes(was[2], is[2], kernel[1], p)) {
      return refuse(graph, node.name, "its borders would change");
    }
  } else if (node.op->id == OpId::roi_align || node.op->id == OpId::anchors) {
    for (size_t i = 1; i < node.in.size(); ++i) {
      const Shape &was = before.value(node.in[i]).type.shape, &is = graph.value(node.in[i]).type.shape;
      if (was[1] * to[1] != is[1] * from[1] || was[2] * to[2] != is[2] * from[2]) {
        return refuse(graph, node.name, "its strides would change");
      }
    }
  }
  return {};
}

}  // namespace

Result<Graph> resized(const Graph& graph, int64_t height, int64_t width) {
  Graph copy = graph;
  Shape from, to;
  for (const int input : copy.inputs) {
    Value& value = copy.values[static_cast<size_t>(input)];
    if (!is_picture(value)) continue;
    if (from.rank > 0 && value.type.shape != from) return refuse(graph, "", "its pictures differ in size");
    from = value.type.shape;
    value.type.shape[1] = height;
    value.type.shape[2] = width;
    to = value.type.shape;
  }
  if (from.rank == 0) return refuse(graph, "", "it has no picture as input");
  for (Node& node : copy.nodes) SPINERT_TRY(resize_params(copy, node, from, to));
  SPINERT_TRY(copy.infer());
  for (const Node& node : copy.nodes) SPINERT_TRY(check_node(copy, graph, node, from, to));
  return copy;
}

}  // namespace spinert
