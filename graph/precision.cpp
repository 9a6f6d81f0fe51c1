#include "graph/precision.h"

#include <algorithm>

#include "kernels/base/half.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d_stem/conv2d_stem.h"
#include "kernels/fpn_merge/fpn_merge.h"
#include "kernels/linear/linear.h"
#include "kernels/rpn_head/rpn_head.h"

namespace spinert {
namespace {

constexpr size_t kConvResidual = 3;

// What one operator asks of the types of its values.
struct TypeRule {
  std::vector<int> same;  // must be of one type
  std::vector<int> wide;  // must be f32
  bool converts = false;  // output 0 may have a type of its own
};

TypeRule rule(const Node& node) {
  TypeRule rule;
  switch (node.op->id) {
    case OpId::conv2d:
      rule = {{node.in[0]}, {}, true};
      if (node.in.size() > kConvResidual) rule.same.push_back(node.in[kConvResidual]);
      break;
    case OpId::linear: rule = {{node.in[0]}, {}, true}; break;
    case OpId::conv2d_stem: rule = {{}, {node.in[0]}, true}; break;
    case OpId::fpn_merge: rule = {{node.in[kFpnFine], node.in[kFpnCoarse]}, {}, true}; break;
    case OpId::relu:
    case OpId::max_pool2d:
    case OpId::global_average_pool: rule.same = {node.in[0], node.out[0]}; break;
    case OpId::add:
    case OpId::upsample_nearest2d: rule.same = {node.in[0], node.in[1], node.out[0]}; break;
    case OpId::roi_align:
      rule = {{node.in.begin() + 1, node.in.end()}, {node.in[0]}};
      rule.same.push_back(node.out[0]);
      break;
    case OpId::rpn_head:
      for (size_t l = 0; l < node.out.size() / 2; ++l) rule.same.push_back(node.in[rpn_head_map(l)]);
      rule.wide = node.out;
      break;
    case OpId::anchors: rule.wide = {node.in[0], node.out[0]}; break;  // of the maps it reads the shapes
    default: rule.wide = node.in; rule.wide.insert(rule.wide.end(), node.out.begin(), node.out.end());
  }
  return rule;
}

// By value: stays f32.
std::vector<bool> wide_values(const Graph& graph, const std::vector<TypeRule>& rules) {
  std::vector<bool> wide(graph.values.size());
  const auto mark = [&](int number) {
    if (number != kAbsent) wide[static_cast<size_t>(number)] = true;
  };
  for (size_t v = 0; v < wide.size(); ++v) wide[v] = graph.values[v].kind != Value::Kind::computed;
  for (const int number : graph.outputs) mark(number);
  for (const TypeRule& rule : rules) {
    for (const int number : rule.wide) mark(number);
  }
  // One f32 value makes its group f32, and a value may lie in several groups.
  for (bool changed = true; changed;) {
    changed = false;
    for (const TypeRule& rule : rules) {
      size_t found = 0, present = 0;
      for (const int number : rule.same) {
        present += number != kAbsent;
        found += number != kAbsent && wide[static_cast<size_t>(number)];
      }
      if (found == 0 || found == present) continue;
      for (const int number : rule.same) mark(number);
      changed = true;
    }
  }
  return wide;
}

template <class Params>
void set_output(Node& node, DType output) {
  auto params = std::make_shared<Params>(node.as<Params>());
  params->output = output;
  node.params = std::move(params);
}

}  // namespace

Status set_half_activations(Graph& graph, DType half) {
  if (!is_half(half)) return error(ErrorId::E_INTERNAL, "no 16-bit float type: " + std::string(dtype_name(half)));
  std::vector<TypeRule> rules;
  for (const Node& node : graph.nodes) rules.push_back(rule(node));
  const std::vector<bool> wide = wide_values(graph, rules);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!rules[n].converts) continue;
    Node& node = graph.nodes[n];
    const DType in = wide[static_cast<size_t>(node.in[0])] ? DType::f32 : half;
    const DType out = wide[static_cast<size_t>(node.out[0])] ? DType::f32 : half;
    const DType output = in == out ? DType::none : out;
    switch (node.op->id) {
      case OpId::conv2d: set_output<Conv2dParams>(node, output); break;
      case OpId::linear: set_output<LinearParams>(node, output); break;
      case OpId::conv2d_stem: set_output<Conv2dStemParams>(node, output); break;
      default: set_output<FpnMergeParams>(node, output); break;
    }
  }
  return graph.infer();
}

bool picks_by_score(const Graph& graph) {
  return std::ranges::any_of(graph.nodes, [](const Node& node) { return node.op->id == OpId::nms; });
}

}  // namespace spinert
