#include "graph/graph.h"

#include <algorithm>

namespace spinert {

int Graph::find(std::string_view value_name) const {
  const auto it = numbers.find(value_name);
  return it == numbers.end() ? kAbsent : it->second;
}

int Graph::find_stored(std::string_view value_name) const {
  const int number = find(value_name);
  if (number == kAbsent) return kAbsent;
  const Value& found = value(number);
  return found.kind == Value::Kind::constant && !found.derived ? number : kAbsent;
}

namespace {

int append(Graph& graph, std::string name, Value::Kind kind, DType dtype, const Shape& shape, int count) {
  const int number = static_cast<int>(graph.values.size());
  graph.numbers.emplace(name, number);
  graph.values.push_back({std::move(name), kind, {dtype, shape, number, count, 1}});
  return number;
}

// Sizes are computed without a check from here on, so that every value must pass, whoever made its shape.
Status check_size(const Graph& graph, const Value& value) {
  const auto elements = value.type.shape.checked_elements();
  if (elements && *elements <= kMaxElements) return {};
  return error(ErrorId::E_MODEL_ARCH, "a tensor is too large", "graph " + graph.name + ", value " + value.name)
      .expected("at most " + std::to_string(kMaxElements) + " elements", to_string(value.type.shape));
}

bool has_weight(OpId op) {
  return op == OpId::conv2d || op == OpId::conv2d_stem || op == OpId::linear || op == OpId::fpn_merge ||
         op == OpId::rpn_head;
}

// Runs the operator's infer for one node and stores the types of its outputs.
Status infer_node(Graph& graph, const Node& node) {
  for (const int i : node.in) {
    if (i != kAbsent) SPINERT_TRY(check_size(graph, graph.value(i)));
  }
  if (has_weight(node.op->id) && node.in.size() > kPackedInput && node.in[kPackedInput] != kAbsent &&
      graph.value(node.in[kPackedInput]).kind != Value::Kind::constant) {
    return error(ErrorId::E_MODEL_ARCH, "a weight must be a constant", "graph " + graph.name + ", node " + node.name);
  }
  std::vector<TensorType> in, out;
  for (const int i : node.in) in.push_back(i == kAbsent ? TensorType{} : graph.value(i).type);
  for (const int o : node.out) {
    TensorType type;
    type.self = o;
    type.quantisation = graph.value(o).type.quantisation;
    out.push_back(type);
  }
  SPINERT_TRY(node.op->infer(node.params.get(), in, out).at("graph " + graph.name + ", node " + node.name));
  for (size_t i = 0; i < out.size(); ++i) {
    Value& value = graph.values[static_cast<size_t>(node.out[i])];
    value.type = out[i];
    SPINERT_TRY(check_size(graph, value));
  }
  return {};
}

}  // namespace

int Graph::add_input(std::string value_name, DType dtype, const Shape& shape, int count) {
  const int number = append(*this, std::move(value_name), Value::Kind::input, dtype, shape, count);
  inputs.push_back(number);
  return number;
}

int Graph::add_constant(std::string value_name, DType dtype, const Shape& shape) {
  return append(*this, std::move(value_name), Value::Kind::constant, dtype, shape, kAbsent);
}

int Graph::add_derived(std::string value_name, DType dtype, const Shape& shape) {
  const int number = add_constant(std::move(value_name), dtype, shape);
  values[static_cast<size_t>(number)].derived = true;
  return number;
}

Result<int> Graph::add_node(OpId op, std::vector<std::string> output_names, std::shared_ptr<void> params,
                            std::vector<int> node_inputs) {
  Node node{output_names.front(), &op_info(op), std::move(params), std::move(node_inputs), {}};
  for (std::string& output : output_names) {
    node.out.push_back(append(*this, std::move(output), Value::Kind::computed, DType::none, {}, kAbsent));
  }
  SPINERT_TRY(infer_node(*this, node));
  nodes.push_back(std::move(node));
  return nodes.back().out.front();
}

Status Graph::infer() {
  for (const int input : inputs) SPINERT_TRY(check_size(*this, value(input)));
  for (const Node& node : nodes) SPINERT_TRY(infer_node(*this, node));
  return {};
}

std::vector<int> Graph::consumers(int number) const {
  std::vector<int> found;
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (const int i : nodes[n].in) {
      if (i == number) found.push_back(static_cast<int>(n));
    }
  }
  return found;
}

int Graph::producer(int number) const {
  for (size_t n = 0; n < nodes.size(); ++n) {
    if (std::ranges::find(nodes[n].out, number) != nodes[n].out.end()) return static_cast<int>(n);
  }
  return -1;
}

bool Graph::is_output(int number) const {
  return std::ranges::find(outputs, number) != outputs.end();
}

}  // namespace spinert
