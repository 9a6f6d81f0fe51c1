#include "weights/model_file.h"

#include <algorithm>

#include "config/json.h"

namespace spinert {
namespace {

constexpr std::string_view kScaleSuffix = ".scale";

Status architecture_error(const std::string& what, const TensorInfo& tensor, const std::string& path) {
  return error(ErrorId::E_MODEL_ARCH, "ST-23: " + what, path + ": tensor \"" + printable(tensor.name) + "\"");
}

}  // namespace

std::string metadata_sha256(const std::map<std::string, std::string>& metadata, std::span<const TensorInfo> tensors) {
  Sha256 hash;
  const auto text = [&](std::string_view value) {
    hash.update_u64(value.size());
    hash.update(value);
  };
  for (const auto& [key, value] : metadata) {
    if (key == kKeyMetaHash) continue;
    text(key);
    text(value);
  }
  hash.update_u64(tensors.size());
  for (const TensorInfo& tensor : tensors) {
    text(tensor.name);
    text(storage_name(tensor.type));
    hash.update_u64(tensor.shape.size());
    for (const uint64_t dim : tensor.shape) hash.update_u64(dim);
    hash.update_u64(tensor.begin);
    hash.update_u64(tensor.end);
  }
  return to_hex(hash.finish());
}

Result<ModelFile> ModelFile::open(const std::string& path) {
  ModelFile model;
  SPINERT_ASSIGN(model.file_, FileReader::open(path));
  SPINERT_ASSIGN(model.header_, read_safetensors_header(model.file_));
  SPINERT_TRY(model.check_metadata());
  SPINERT_TRY(model.check_storage());
  return model;
}

Status ModelFile::check_metadata() const {
  const auto& metadata = header_.metadata;
  const std::string& path = file_.path();
  for (const char* key : {kKeyFormat, kKeyGraph, kKeyConfig, kKeySources, kKeyCard, kKeyDataHash, kKeyMetaHash}) {
    if (metadata.contains(key)) continue;
    return error(ErrorId::E_CONFIG, std::string("ST-21: the model has no ") + key, path)
        .hint("This is not a SpineRT model; make one with `spinert convert`.");
  }
  const std::string computed = metadata_sha256(metadata, header_.tensors);
  if (computed != metadata.at(kKeyMetaHash)) {
    return error(ErrorId::E_MODEL_HASH, "ST-22: the metadata was changed after the model was written", path)
        .expected(printable(metadata.at(kKeyMetaHash)), computed);
  }
  if (metadata.at(kKeyFormat) != kModelFormat) {
    return error(ErrorId::E_MODEL_HASH, "the model has another format version", path)
        .expected(kModelFormat, printable(metadata.at(kKeyFormat)))
        .hint("Convert the checkpoints again with this version.");
  }
  return {};
}

Status ModelFile::check_storage() {
  for (size_t i = 0; i < header_.tensors.size(); ++i) {
    const TensorInfo& tensor = header_.tensors[i];
    const std::string& name = tensor.name;
    if (name.ends_with(kScaleSuffix)) {
      const TensorInfo* base = header_.find(std::string_view(name).substr(0, name.size() - kScaleSuffix.size()));
      if (base && base->type == StorageType::I8) continue;
    }
    if (tensor.type == StorageType::I8) {
      const TensorInfo* scale = header_.find(name + std::string(kScaleSuffix));
      if (!scale) return architecture_error("I8 without a scale", tensor, file_.path());
      if (scale->type != StorageType::F32 || scale->shape != std::vector<uint64_t>{tensor.last_dim()} ||
          tensor.elements == 0) {
        return architecture_error("the scale does not fit", *scale, file_.path())
            .expected("F32 [" + std::to_string(tensor.last_dim()) + "]", describe(*scale));
      }
      if (scale->begin >= tensor.begin) {
        return architecture_error("the scale must come before its tensor", *scale, file_.path());
      }
    } else if (tensor.type != StorageType::F32 && tensor.type != StorageType::F16 && tensor.type != StorageType::BF16) {
      return architecture_error("storage type is none of F32, F16, BF16, I8", tensor, file_.path())
          .expected("F32, F16, BF16 or I8", describe(tensor));
    }
    numbers_.emplace(name, weights_.size());
    weights_.push_back({name, tensor.shape, tensor.elements, tensor.type, i});
  }
  return {};
}

const Weight* ModelFile::find(std::string_view name) const {
  const auto it = numbers_.find(name);
  return it == numbers_.end() ? nullptr : &weights_[it->second];
}

Status write_model(const std::string& path, std::map<std::string, std::string> metadata,
                   std::span<const TensorData> tensors, AtomicFile::Existing existing) {
  SPINERT_ASSIGN(const auto table, layout_tensors(tensors));
  PieceSha256 data;
  for (const TensorData& tensor : tensors) data.update(tensor.data.data(), tensor.data.size());
  metadata[kKeyFormat] = kModelFormat;
  metadata[kKeyDataHash] = to_hex(data.finish());
  metadata[kKeyMetaHash] = metadata_sha256(metadata, table);
  return write_safetensors(path, metadata, tensors, existing);
}

}  // namespace spinert
