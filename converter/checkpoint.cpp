#include "converter/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "converter/pth_reader.h"
#include "weights/safetensors.h"
#include "weights/storage.h"

namespace spinert {
namespace {

// First bytes of the format before torch 1.6: a pickle of the number 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14);
constexpr std::string_view kResave = "Load it in torch and save model.state_dict() with torch.save.";

Status read_safetensors_checkpoint(const FileReader& file, Checkpoint& checkpoint) {
  SPINERT_ASSIGN(const SafetensorsHeader header, read_safetensors_header(file));
  if (header.data_bytes > 8 * kMaxCheckpointElements) {
    return error(ErrorId::E_MODEL_FORMAT, "the checkpoint is too large", file.path());
  }
  for (const TensorInfo& info : header.tensors) {
    SourceTensor tensor;
    tensor.name = info.name;
    tensor.type = storage_name(info.type);
    for (const uint64_t dim : info.shape) tensor.shape.push_back(static_cast<int64_t>(dim));
    std::vector<std::byte> bytes(info.bytes());
    SPINERT_TRY(file.read(header.data_offset + info.begin, bytes.data(), bytes.size()));
    const auto count = static_cast<int64_t>(info.elements);
    if (info.type == StorageType::I64) {
      tensor.integers.resize(info.elements);
      if (!bytes.empty()) std::memcpy(tensor.integers.data(), bytes.data(), bytes.size());
    } else {
      tensor.values.resize(info.elements);
      switch (info.type) {  // the answer of decode is ignored here: values are checked by name later
        case StorageType::F32: decode_f32(bytes.data(), count, tensor.values.data()); break;
        case StorageType::F16: decode_f16(bytes.data(), count, tensor.values.data()); break;
        case StorageType::BF16: decode_bf16(bytes.data(), count, tensor.values.data()); break;
        case StorageType::F64:
          for (size_t i = 0; i < info.elements; ++i) {
            double value;
            std::memcpy(&value, bytes.data() + 8 * i, sizeof value);
            tensor.values[i] = static_cast<float>(value);
          }
          break;
        default:
          return error(ErrorId::E_MODEL_FORMAT, "a tensor of type " + tensor.type + " is not read",
                       file.path() + ": " + info.name);
      }
    }
    checkpoint.tensors.push_back(std::move(tensor));
  }
  return {};
}

// "120 tensors converted from F16 to F32"
void note_types(Checkpoint& checkpoint) {
  std::map<std::string, int> converted;
  for (const SourceTensor& tensor : checkpoint.tensors) {
    if (tensor.type != "F32" && tensor.type != "I64") ++converted[tensor.type];
  }
  for (const auto& [type, count] : converted) {
    checkpoint.notes.push_back(std::to_string(count) + " tensors read from " + type + " into F32.");
  }
}

// DataParallel puts "module." before every name. Nothing else is guessed.
void strip_module(Checkpoint& checkpoint) {
  constexpr std::string_view kPrefix = "module.";
  const bool all = std::ranges::all_of(checkpoint.tensors, [&](const auto& t) { return t.name.starts_with(kPrefix); });
  if (!all || checkpoint.tensors.empty()) return;
  for (SourceTensor& tensor : checkpoint.tensors) tensor.name.erase(0, kPrefix.size());
  checkpoint.notes.push_back("Prefix \"module.\" removed from every name.");
}

}  // namespace

Result<Checkpoint> read_checkpoint(const std::string& path, const CheckpointOptions& options) {
  SPINERT_ASSIGN(const FileReader file, FileReader::open(path));
  std::array<char, 16> head{};
  const auto head_bytes = static_cast<size_t>(std::min<uint64_t>(head.size(), file.size()));
  SPINERT_TRY(file.read(0, head.data(), head_bytes));
  const std::string_view start(head.data(), head_bytes);

  Checkpoint checkpoint;
  if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06")) {
    SPINERT_TRY(read_pth(file, options, checkpoint));
  } else if (start.starts_with(kLegacyMagic)) {
    return error(ErrorId::E_MODEL_FORMAT, "the file has torch's format from before version 1.6, which is not read",
                 path)
        .hint(std::string(kResave));
  } else if (start.starts_with("\x80")) {
    return error(ErrorId::E_MODEL_FORMAT, "the file is a bare pickle, which is not read", path)
        .hint(std::string(kResave));
  } else if (file.size() < 8 || (start.size() > 8 && start[8] == '{')) {
    SPINERT_TRY(read_safetensors_checkpoint(file, checkpoint));
  } else {
    return error(ErrorId::E_MODEL_FORMAT, "the file is neither a .pth archive nor safetensors", path);
  }
  SPINERT_ASSIGN(checkpoint.sha256, whole_file_sha256(file));
  strip_module(checkpoint);
  note_types(checkpoint);
  return checkpoint;
}

}  // namespace spinert
