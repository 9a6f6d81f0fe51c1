// graph.h - a network as a list of nodes over named values, in execution order. The form in the model file is JSON:
//
//   {"inputs":  [{"name": "boxes", "dtype": "f32", "shape": [2, 4], "count": "count"}, ...],
//    "nodes":   [{"name": "body.conv1", "op": "conv2d", "inputs": ["image", "body.conv1.weight", ""],
//                 "outputs": ["body.conv1"], "attributes": {"stride": 2, ...}}, ...],
//    "outputs": ["boxes", "scores", "count"]}
//
// An input name that is neither a graph input nor an output of an earlier node is a constant of the model file, stored
// as
// "<graph>.<name>". An empty name is an absent optional input. "count" names the i32 value that holds the rows in use.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kernels/registry.h"

namespace spinert {

inline constexpr int kAbsent = -1;

struct Value {
  enum class Kind : unsigned char { input, constant, computed };
  std::string name;
  Kind kind = Kind::computed;
  TensorType type;       // self is the value's number
  bool derived = false;  // a constant that a rewrite computes: no tensor of the file may claim its name
};

struct Node {
  std::string name;
  const OpInfo* op = nullptr;
  std::shared_ptr<void> params;
  std::vector<int> in;  // value numbers, kAbsent for an absent optional input
  std::vector<int> out;

  template <class Params>
  Params& as() const {
    return *static_cast<Params*>(params.get());
  }
};

// Constants that a rewrite computes from stored ones when the model is loaded.
struct DerivedConstant {
  std::vector<int> sources, results;
  std::function<void(const std::vector<Tensor>& sources, const std::vector<Tensor>& results)> compute;
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<int> inputs, outputs;
  std::vector<DerivedConstant> derived;
  std::map<std::string, int, std::less<>> numbers;  // by name; of equal names the first, which came from the file

  int find(std::string_view value_name) const;  // kAbsent if there is none
  // The constant that a tensor of the file fills, kAbsent if no node reads such a tensor.
  int find_stored(std::string_view value_name) const;
  const Value& value(int number) const { return values[static_cast<size_t>(number)]; }

  // count: value that holds the rows in use of this input.
  int add_input(std::string value_name, DType dtype, const Shape& shape, int count = kAbsent);
  int add_constant(std::string value_name, DType dtype, const Shape& shape);
  int add_derived(std::string value_name, DType dtype, const Shape& shape);
  // Appends a node with outputs of those names (the first names the node) and infers their types.
  // Returns the first output's number; the others follow it.
  Result<int> add_node(OpId op, std::vector<std::string> output_names, std::shared_ptr<void> params,
                       std::vector<int> node_inputs);
  template <class Params>
  Result<int> add(OpId op, std::string output_name, Params params, std::vector<int> node_inputs) {
    return add_node(op, {std::move(output_name)}, std::make_shared<Params>(std::move(params)), std::move(node_inputs));
  }

  // Infers every computed type again, after an input shape or a node has changed. E_MODEL_ARCH also for a weight that
  // is no constant: kernels pack weights when the model is opened.
  Status infer();
  // Numbers of nodes that read a value, once per reading input.
  std::vector<int> consumers(int number) const;
  // The node that computes a value, or -1.
  int producer(int number) const;
  bool is_output(int number) const;
};

// The shape of a constant by its name in the graph, or nothing.
using ConstantLookup = std::function<std::optional<Shape>(const std::string& name)>;

// Errors: E_MODEL_ARCH for an unknown operator or attribute, a value used before it is defined, a name defined twice, a
// wrong count of inputs or outputs, a constant that the file lacks, shapes that do not fit; E_MODEL_FORMAT (ST-21) for
// JSON of the wrong form. The text has been parsed strictly before (config/json.h).
Result<Graph> graph_from_json(const std::string& graph_name, const nlohmann::json& json,
                              const ConstantLookup& constants);
nlohmann::ordered_json graph_to_json(const Graph& graph);

// "stride=2 padding=3 activation=relu": every parameter by name.
std::string attributes_text(const Node& node);

}  // namespace spinert
