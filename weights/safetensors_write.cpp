#include "weights/safetensors_write.h"

#include <set>

#include "config/json.h"
#include "kernels/base/checked.h"

namespace spinert {

Result<std::vector<TensorInfo>> layout_tensors(std::span<const TensorData> tensors) {
  std::vector<TensorInfo> table;
  std::set<std::string> names;
  uint64_t position = 0;
  for (const TensorData& tensor : tensors) {
    TensorInfo info{tensor.name, tensor.type, tensor.shape, 1, position, 0};
    for (const uint64_t dim : tensor.shape) info.elements *= dim;
    info.end = position + tensor.data.size();
    if (!names.insert(tensor.name).second || tensor.name == "__metadata__") {
      return error(ErrorId::E_INTERNAL, "two tensors of one name", tensor.name);
    }
    if (info.elements * static_cast<uint64_t>(storage_bits(tensor.type)) != tensor.data.size() * 8) {
      return error(ErrorId::E_INTERNAL, "tensor data has the wrong size", tensor.name);
    }
    position = info.end;
    table.push_back(std::move(info));
  }
  return table;
}

Status write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                         std::span<const TensorData> tensors, AtomicFile::Existing existing) {
  SPINERT_ASSIGN(const auto table, layout_tensors(tensors));
  nlohmann::json root = nlohmann::json::object();
  if (!metadata.empty()) root["__metadata__"] = metadata;
  for (const TensorInfo& tensor : table) {
    root[tensor.name] = {
        {"dtype", storage_name(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string header = dump_json(root);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string prefix;
  for (int i = 0; i < 8; ++i) prefix += static_cast<char>(header.size() >> (8 * i));

  SPINERT_ASSIGN(AtomicFile file, AtomicFile::create(path, existing));
  SPINERT_TRY(file.write(prefix));
  SPINERT_TRY(file.write(header));
  for (const TensorData& tensor : tensors) SPINERT_TRY(file.write(tensor.data.data(), tensor.data.size()));
  return file.commit();
}

}  // namespace spinert
