#include "converter/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "config/json.h"
#include "config/pipeline_config.h"
#include "converter/architectures/architectures.h"
#include "weights/model_file.h"
#include "weights/storage.h"

namespace spinert {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kMaxTextFile = uint64_t{1} << 20;  // config and card
constexpr const char* kConverterVersion = "spinert-convert/1";

Result<std::string> read_text(const std::string& path) {
  SPINERT_ASSIGN(const FileReader file, FileReader::open(path));
  if (file.size() > kMaxTextFile) {
    return error(ErrorId::E_CONFIG, "the file is too large", path)
        .expected("at most " + std::to_string(kMaxTextFile) + " bytes", std::to_string(file.size()));
  }
  std::string text(file.size(), '\0');
  SPINERT_TRY(file.read(0, text.data(), text.size()));
  return text;
}

// A card must say these four things; more is allowed.
Result<std::string> read_card(const std::string& path) {
  if (path.empty()) {
    return dump_json({{"name", "unnamed"},
                      {"training_data", "not stated"},
                      {"intended_use", "Research use only. Not for diagnostic use."},
                      {"limits", "not stated"}});
  }
  SPINERT_ASSIGN(const std::string text, read_text(path));
  SPINERT_ASSIGN(const json card, parse_json(text, ErrorId::E_CONFIG, path));
  for (const char* key : {"name", "training_data", "intended_use", "limits"}) {
    if (!card.is_object() || !card.contains(key) || !card[key].is_string()) {
      return error(ErrorId::E_CONFIG, std::string("the model card has no text \"") + key + "\"", path);
    }
  }
  return dump_json(card);
}

// One network on its way into the file.
struct Network {
  ordered_json graph;
  json source;
  std::vector<ConvertedTensor> tensors;  // full names
  std::vector<std::string> notes;
};

struct NetworkRequest {
  const char* graph_name;
  Architecture::Role role;
  const std::string& path;
  const std::string& architecture;
  double batch_norm_eps;
  const CheckpointOptions& options;
  const std::map<std::string, std::string>& rename;
};

Result<Network> convert_network(const NetworkRequest& request, const PipelineConfig& config) {
  const std::string key = std::string(request.graph_name) + ".architecture";
  const Architecture* architecture = find_architecture(request.architecture);
  if (!architecture || architecture->role != request.role) {
    std::string known;
    for (const Architecture& row : architectures()) {
      if (row.role == request.role) known += (known.empty() ? "" : ", ") + std::string(row.name);
    }
    return error(ErrorId::E_CONFIG, key + " is not known").expected("one of " + known, printable(request.architecture));
  }
  SPINERT_ASSIGN(Checkpoint checkpoint, read_checkpoint(request.path, request.options));
  Network network;
  network.source = {{"sha256", checkpoint.sha256}, {"module_versions", checkpoint.module_versions}};
  for (const std::string& note : checkpoint.notes) {
    network.notes.push_back(std::string(request.graph_name) + ": " + note);
  }
  SourceTensors source(std::move(checkpoint), request.path);
  source.rename_prefixes(request.rename);
  NetworkBuilder builder(request.graph_name, std::move(source), request.batch_norm_eps);
  SPINERT_TRY(architecture->build(builder, config));
  SPINERT_TRY(builder.finish(request.architecture));
  network.graph = graph_to_json(builder.graph());
  network.tensors = builder.take_tensors();
  for (ConvertedTensor& tensor : network.tensors) tensor.name = std::string(request.graph_name) + "." + tensor.name;
  return network;
}

// A tensor in its stored form; `bytes` owns what the writer points at.
struct StoredTensorData {
  TensorData tensor;
  std::vector<std::byte> bytes;
};

StoredTensorData stored(std::string name, StorageType type, std::vector<uint64_t> shape, const void* data,
                        size_t bytes) {
  StoredTensorData out;
  out.bytes.resize(bytes);
  if (bytes > 0) std::memcpy(out.bytes.data(), data, bytes);
  out.tensor = {std::move(name), type, std::move(shape), {}};
  return out;
}

Status store(const ConvertedTensor& tensor, WeightStorage storage, std::vector<StoredTensorData>& out) {
  const auto& values = tensor.values;
  if (tensor.is_weight && storage == WeightStorage::f16) {
    std::vector<uint16_t> half;
    for (size_t i = 0; i < values.size(); ++i) {
      half.push_back(f32_to_f16(values[i]));
      if (!std::isfinite(f16_to_f32(half.back()))) {
        return error(ErrorId::E_MODEL_VALUE, "a folded weight is too large for F16",
                     tensor.name + "[" + std::to_string(i) + "]")
            .hint("Convert with --storage f32.");
      }
    }
    out.push_back(stored(tensor.name, StorageType::F16, tensor.shape, half.data(), half.size() * sizeof(uint16_t)));
  } else if (tensor.is_weight && storage == WeightStorage::int8 &&
             values.size() >= static_cast<size_t>(kMinQuantisedElements)) {
    const uint64_t channels = tensor.shape.back();
    const QuantisedTensor q = quantise_i8(values, static_cast<int64_t>(channels));
    // The reader needs the scale when it meets the tensor, so the scale comes first.
    out.push_back(
        stored(tensor.name + ".scale", StorageType::F32, {channels}, q.scale.data(), q.scale.size() * sizeof(float)));
    out.push_back(stored(tensor.name, StorageType::I8, tensor.shape, q.values.data(), q.values.size()));
  } else {
    out.push_back(stored(tensor.name, StorageType::F32, tensor.shape, values.data(), values.size() * sizeof(float)));
  }
  return {};
}

}  // namespace

bool parse_storage(std::string_view name, WeightStorage& storage) {
  if (name == "f32")
    storage = WeightStorage::f32;
  else if (name == "f16")
    storage = WeightStorage::f16;
  else if (name == "int8")
    storage = WeightStorage::int8;
  else
    return false;
  return true;
}

Result<ConvertSummary> convert(const ConvertOptions& options) {
  SPINERT_ASSIGN(const std::string text, read_text(options.config));
  SPINERT_ASSIGN(const PipelineConfig config, parse_pipeline_config(text, options.config));
  SPINERT_ASSIGN(const std::string card, read_card(options.card));
  const NetworkRequest requests[] = {
      {"detector", Architecture::Role::detector, options.detector, config.detector.architecture,
       config.detector.batch_norm_eps, options.detector_options, config.rename.detector},
      {"classifier", Architecture::Role::classifier, options.classifier, config.classifier.architecture,
       config.classifier.batch_norm_eps, options.classifier_options, config.rename.classifier}};

  ConvertSummary summary;
  ordered_json graphs = ordered_json::object();
  json sources = {{"converter", kConverterVersion}};
  std::vector<StoredTensorData> data;
  for (const NetworkRequest& request : requests) {
    SPINERT_ASSIGN(const Network network, convert_network(request, config));
    graphs[request.graph_name] = network.graph;
    sources[request.graph_name] = network.source;
    summary.notes.insert(summary.notes.end(), network.notes.begin(), network.notes.end());
    for (const ConvertedTensor& tensor : network.tensors) {
      summary.elements += static_cast<int64_t>(tensor.values.size());
      SPINERT_TRY(store(tensor, options.storage, data));
    }
  }
  std::vector<TensorData> tensors;
  for (StoredTensorData& item : data) {
    item.tensor.data = item.bytes;
    summary.data_bytes += item.bytes.size();
    tensors.push_back(item.tensor);
  }
  summary.tensors = static_cast<int64_t>(tensors.size());
  const std::map<std::string, std::string> metadata = {
      {kKeyGraph, graphs.dump(-1, ' ', false, ordered_json::error_handler_t::replace)},
      {kKeyConfig, print_pipeline_config(config)},
      {kKeySources, dump_json(sources)},
      {kKeyCard, card}};
  SPINERT_TRY(write_model(options.output, metadata, tensors, options.existing));
  return summary;
}

}  // namespace spinert
