#include "tests/support/graph_model.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <span>

#include "tests/ops/op_case.h"
#include "tests/support/reduced_model.h"
#include "weights/model_file.h"

namespace spinert::graph_model {

Status write(const std::string& path, const std::string& graphs, const std::vector<Stored>& tensors) {
  std::vector<std::vector<float>> values;
  for (const Stored& tensor : tensors) {
    uint64_t elements = 1;
    for (const uint64_t dim : tensor.shape) elements *= dim;
    std::vector<float> numbers(elements);
    for (uint64_t i = 0; i < elements; ++i) numbers[i] = cases::random_uniform(values.size(), i);
    values.push_back(std::move(numbers));
  }
  std::vector<TensorData> data;
  for (size_t i = 0; i < tensors.size(); ++i) {
    data.push_back({tensors[i].name, StorageType::F32, tensors[i].shape, std::as_bytes(std::span(values[i]))});
  }
  std::map<std::string, std::string> metadata = {
      {kKeyGraph, graphs}, {kKeyConfig, reduced::config_text()}, {kKeySources, "{}"}, {kKeyCard, "{}"}};
  return write_model(path, std::move(metadata), data, AtomicFile::Existing::replace);
}

Status write(const std::string& path, const Graph& graph) {
  std::vector<Stored> tensors;
  for (const Value& value : graph.values) {
    if (value.kind != Value::Kind::constant) continue;
    Stored tensor{graph.name + "." + value.name, {}};
    for (int i = 0; i < value.type.shape.rank; ++i) {
      tensor.shape.push_back(static_cast<uint64_t>(value.type.shape[i]));
    }
    tensors.push_back(std::move(tensor));
  }
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  root[graph.name] = graph_to_json(graph);
  return write(path, root.dump(), tensors);
}

}  // namespace spinert::graph_model
