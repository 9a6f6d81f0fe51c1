// graph_json.cpp - the graph's JSON form. Attribute names and types come from visit() of each operator's parameters, so
// that reader and writer cannot drift apart.
#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "config/json.h"
#include "graph/graph.h"

namespace spinert {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

// Limits from a table, not from the file. Planning takes time with the square of these; the networks we know
// have some 200 nodes with at most 9 inputs.
constexpr size_t kMaxNodes = 4096, kMaxValues = 16384, kMaxPerNode = 64, kMaxName = 256;
constexpr int64_t kMaxExtent = int64_t{1} << 24;

class AttributeReader : public ParamVisitor {
 public:
  explicit AttributeReader(const json& attributes) : attributes_(attributes) {}
  void field(const char* name, int64_t& value) override {
    const json* j = take(name, &json::is_number_integer);
    if (!j) return;
    // Above the signed range get() would wrap to a negative number.
    if (j->is_number_unsigned() && j->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      wrong_ = name;
      return;
    }
    value = j->get<int64_t>();
  }
  void field(const char* name, double& value) override {
    if (const json* j = take(name, &json::is_number)) value = j->get<double>();
  }
  void field(const char* name, bool& value) override {
    if (const json* j = take(name, &json::is_boolean)) value = j->get<bool>();
  }
  void field(const char* name, std::string& value) override {
    if (const json* j = take(name, &json::is_string)) value = j->get<std::string>();
  }
  void field(const char* name, std::vector<double>& value) override {
    const json* j = take(name, &json::is_array);
    if (!j) return;
    value.clear();
    for (const json& item : *j) {
      if (!item.is_number()) {
        wrong_ = name;
        return;
      }
      value.push_back(item.get<double>());
    }
  }
  // The first attribute of a wrong type, or one that no parameter has read; empty if all is well.
  std::string problem() const {
    if (!wrong_.empty()) return "attribute " + wrong_ + " has the wrong type";
    for (const auto& [key, value] : attributes_.items()) {
      if (!read_.contains(key)) return "unknown attribute " + printable(key);
    }
    return {};
  }

 private:
  const json* take(const char* name, bool (json::*is_type)() const noexcept) {
    read_.insert(name);
    const auto it = attributes_.find(name);
    if (it == attributes_.end()) return nullptr;
    if (!((*it).*is_type)()) {
      wrong_ = name;
      return nullptr;
    }
    return &*it;
  }
  const json& attributes_;
  std::set<std::string> read_;
  std::string wrong_;
};

class AttributeWriter : public ParamVisitor {
 public:
  ordered_json attributes = ordered_json::object();
  void field(const char* name, int64_t& value) override { attributes[name] = value; }
  void field(const char* name, double& value) override { attributes[name] = value; }
  void field(const char* name, bool& value) override { attributes[name] = value; }
  void field(const char* name, std::string& value) override { attributes[name] = value; }
  void field(const char* name, std::vector<double>& value) override { attributes[name] = value; }
};

// "key=value key=value", in the form that a case line of the tests takes.
class AttributeText : public ParamVisitor {
 public:
  std::string text;
  void field(const char* name, int64_t& value) override { put(name, std::to_string(value)); }
  void field(const char* name, double& value) override { put(name, print(value)); }
  void field(const char* name, bool& value) override { put(name, value ? "1" : "0"); }
  void field(const char* name, std::string& value) override { put(name, value); }
  void field(const char* name, std::vector<double>& value) override {
    std::string list;
    for (const double v : value) list += (list.empty() ? "" : ",") + print(v);
    put(name, list);
  }

 private:
  static std::string print(double value) {
    char buffer[32];
    return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
  }
  void put(const char* name, const std::string& value) {
    text += (text.empty() ? "" : " ") + std::string(name) + "=" + value;
  }
};

Status malformed(const std::string& graph, const std::string& what) {
  return error(ErrorId::E_MODEL_FORMAT, "ST-21: " + what, "graph " + graph).hint("Convert the model again.");
}
Status unfit(const std::string& graph, const std::string& what) {
  return error(ErrorId::E_MODEL_ARCH, what, "graph " + graph).hint("Convert the model again.");
}

// Names go into one-line messages as they are, so that they hold no control bytes.
bool is_name(const json& j, bool may_be_empty) {
  if (!j.is_string()) return false;
  const auto& text = j.get_ref<const std::string&>();
  return text.size() <= kMaxName && (may_be_empty || !text.empty()) &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// Reads the graph's inputs; counts refer to inputs by name, so they are linked after all are known.
Status read_inputs(Graph& graph, const json& list) {
  for (const json& item : list) {
    if (!item.is_object() || !item.contains("name") || !is_name(item["name"], false) || !item.contains("dtype") ||
        !item.contains("shape") || !item["shape"].is_array() || item["shape"].size() > kMaxRank) {
      return malformed(graph.name, "an input needs name, dtype and a shape of at most 5 extents");
    }
    for (const auto& [key, value] : item.items()) {
      if (key != "name" && key != "dtype" && key != "shape" && key != "count") {
        return malformed(graph.name, "unknown key " + printable(key) + " in an input");
      }
    }
    Shape shape;
    for (const json& extent : item["shape"]) {
      if (!extent.is_number_unsigned() || extent.get<uint64_t>() > uint64_t{kMaxExtent}) {
        return malformed(graph.name, "an input has an extent that is not a number from 0 to 2^24");
      }
      shape[shape.rank++] = extent.get<int64_t>();
    }
    const std::string dtype = item["dtype"].is_string() ? item["dtype"].get<std::string>() : "";
    if (dtype != "f32" && dtype != "i32") return malformed(graph.name, "an input's dtype must be f32 or i32");
    const auto& name = item["name"].get_ref<const std::string&>();
    if (graph.find(name) != kAbsent) return unfit(graph.name, "value " + name + " is defined twice");
    graph.add_input(name, dtype == "f32" ? DType::f32 : DType::i32, shape);
  }
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].contains("count")) continue;
    const int count = is_name(list[i]["count"], false) ? graph.find(list[i]["count"].get<std::string>()) : kAbsent;
    // A count is read as one number: it can have no count of its own.
    if (count == kAbsent || graph.value(count).type.dtype != DType::i32 || graph.value(count).type.shape != Shape{1} ||
        list[static_cast<size_t>(count)].contains("count")) {
      return unfit(graph.name, "the count of input " + graph.values[i].name + " is not an i32 input with one element");
    }
    graph.values[i].type.count = count;
  }
  return {};
}

Status read_node(Graph& graph, const json& item, const ConstantLookup& constants) {
  if (!item.is_object() || !item.contains("name") || !is_name(item["name"], false) || !item.contains("op") ||
      !item["op"].is_string() || !item.contains("inputs") || !item["inputs"].is_array() || !item.contains("outputs") ||
      !item["outputs"].is_array() || !item.contains("attributes") || !item["attributes"].is_object() ||
      item.size() != 5 || item["inputs"].size() > kMaxPerNode || item["outputs"].empty() ||
      item["outputs"].size() > kMaxPerNode) {
    return malformed(graph.name, "a node needs exactly name, op, inputs, outputs and attributes");
  }
  const auto& name = item["name"].get_ref<const std::string&>();
  const OpInfo* op = find_op(item["op"].get_ref<const std::string&>());
  if (!op)
    return unfit(graph.name, "node " + name + " has the unknown operator " + printable(item["op"].get<std::string>()));
  auto params = op->make_params();
  AttributeReader reader(item["attributes"]);
  op->visit(params.get(), reader);
  if (const std::string problem = reader.problem(); !problem.empty()) {
    return unfit(graph.name, "node " + name + ": " + problem);
  }
  std::vector<int> inputs;
  for (const json& input : item["inputs"]) {
    if (!is_name(input, true)) return malformed(graph.name, "node " + name + " has an input that is no name");
    const auto& input_name = input.get_ref<const std::string&>();
    int number = input_name.empty() ? kAbsent : graph.find(input_name);
    if (number == kAbsent && !input_name.empty()) {
      const auto shape = constants(input_name);
      if (!shape) {
        return unfit(graph.name, "node " + name + " reads " + input_name +
                                     ", which is neither an input, an earlier output nor a tensor of the file");
      }
      if (shape->checked_elements().value_or(0) == 0) {
        return unfit(graph.name, "node " + name + " reads " + input_name + ", which has no elements");
      }
      number = graph.add_constant(input_name, DType::f32, *shape);
    }
    inputs.push_back(number);
  }
  std::vector<std::string> outputs;
  for (const json& output : item["outputs"]) {
    if (!is_name(output, false)) return malformed(graph.name, "node " + name + " has an output that is no name");
    outputs.push_back(output.get<std::string>());
    if (graph.find(outputs.back()) != kAbsent || std::count(outputs.begin(), outputs.end(), outputs.back()) > 1) {
      return unfit(graph.name, "value " + outputs.back() + " is defined twice");
    }
  }
  if (graph.values.size() + outputs.size() > kMaxValues) {
    return unfit(graph.name, "more than " + std::to_string(kMaxValues) + " values");
  }
  if (outputs.front() != name) return unfit(graph.name, "node " + name + " must be named after its first output");
  SPINERT_TRY(graph.add_node(op->id, std::move(outputs), std::move(params), std::move(inputs)).status());
  // What codes mean comes from a calibration (graph/quantisation.h), never from a graph.
  for (const int output : graph.nodes.back().out) {
    if (graph.value(output).type.dtype == DType::u8) return unfit(graph.name, "node " + name + " has outputs of u8");
  }
  return {};
}

ordered_json shape_json(const Shape& shape) {
  ordered_json list = ordered_json::array();
  for (int i = 0; i < shape.rank; ++i) list.push_back(shape[i]);
  return list;
}

}  // namespace

Result<Graph> graph_from_json(const std::string& graph_name, const json& text, const ConstantLookup& constants) {
  Graph graph;
  graph.name = graph_name;
  // "<graph>.<name>" must have one reading only.
  if (!is_name(graph_name, false) || graph_name.find('.') != std::string::npos) {
    return malformed(printable(graph_name), "a graph needs a name without points");
  }
  if (!text.is_object() || text.size() != 3 || !text.contains("inputs") || !text["inputs"].is_array() ||
      !text.contains("nodes") || !text["nodes"].is_array() || !text.contains("outputs") ||
      !text["outputs"].is_array() || text["nodes"].size() > kMaxNodes || text["inputs"].size() > kMaxPerNode ||
      text["outputs"].size() > kMaxPerNode) {
    return malformed(graph_name, "a graph needs exactly inputs, nodes and outputs");
  }
  SPINERT_TRY(read_inputs(graph, text["inputs"]));
  for (const json& item : text["nodes"]) SPINERT_TRY(read_node(graph, item, constants));
  for (const json& item : text["outputs"]) {
    const int number = is_name(item, false) ? graph.find(item.get<std::string>()) : kAbsent;
    if (number == kAbsent || graph.value(number).kind != Value::Kind::computed) {
      return unfit(graph_name, "an output is not computed by any node");
    }
    graph.outputs.push_back(number);
  }
  return graph;
}

ordered_json graph_to_json(const Graph& graph) {
  ordered_json inputs = ordered_json::array(), nodes = ordered_json::array(), outputs = ordered_json::array();
  const auto name_of = [&](int number) { return number == kAbsent ? std::string() : graph.value(number).name; };
  for (const int i : graph.inputs) {
    const TensorType& type = graph.value(i).type;
    ordered_json item = {{"name", name_of(i)}, {"dtype", dtype_name(type.dtype)}, {"shape", shape_json(type.shape)}};
    if (type.count != kAbsent) item["count"] = name_of(type.count);
    inputs.push_back(std::move(item));
  }
  for (const Node& node : graph.nodes) {
    ordered_json in = ordered_json::array(), out = ordered_json::array();
    for (const int i : node.in) in.push_back(name_of(i));
    for (const int o : node.out) out.push_back(name_of(o));
    AttributeWriter writer;
    node.op->visit(node.params.get(), writer);
    nodes.push_back({{"name", node.name},
                     {"op", node.op->name},
                     {"inputs", std::move(in)},
                     {"outputs", std::move(out)},
                     {"attributes", std::move(writer.attributes)}});
  }
  for (const int o : graph.outputs) outputs.push_back(name_of(o));
  return {{"inputs", std::move(inputs)}, {"nodes", std::move(nodes)}, {"outputs", std::move(outputs)}};
}

std::string attributes_text(const Node& node) {
  AttributeText writer;
  node.op->visit(node.params.get(), writer);
  return writer.text;
}

}  // namespace spinert
