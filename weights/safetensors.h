// safetensors.h - the header of a safetensors file: u64 length, JSON with metadata and tensor table, then the data.
//
// Every rule ST-01 to ST-20 of docs/safety.md is checked and named in the error (E_MODEL_FORMAT, or E_MODEL_TRUNCATED
// where the file is too short). After that the table is safe to use: tensors lie behind one another without hole or
// overlap and fill the data part exactly.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "weights/file_reader.h"

namespace spinert {

// The names of the format, in an order of our own.
enum class StorageType : unsigned char {
  BOOL,
  U8,
  I8,
  U16,
  I16,
  F16,
  BF16,
  U32,
  I32,
  F32,
  U64,
  I64,
  F64,
  C64,
  F8_E4M3,
  F8_E5M2,
  F8_E8M0,
  F6_E2M3,
  F6_E3M2,
  F4
};

std::string_view storage_name(StorageType type);
int storage_bits(StorageType type);

struct TensorInfo {
  std::string name;
  StorageType type = StorageType::F32;
  std::vector<uint64_t> shape;  // at most 8 entries
  uint64_t elements = 0;
  uint64_t begin = 0, end = 0;  // bytes in the data part

  uint64_t bytes() const { return end - begin; }
  uint64_t last_dim() const { return shape.empty() ? 1 : shape.back(); }
};

// "F32 [3,256]"
std::string describe(const TensorInfo& tensor);

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::vector<TensorInfo> tensors;  // in the order of the data
  uint64_t data_offset = 0;         // of the data part in the file
  uint64_t data_bytes = 0;
  std::map<std::string, size_t, std::less<>> numbers;  // place in `tensors` by name

  // Null if there is no tensor of that name.
  const TensorInfo* find(std::string_view name) const;
};

// Longest header that is read.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;

// Reads the header of an open file and checks it against the file's size.
Result<SafetensorsHeader> read_safetensors_header(const FileReader& file);

// The same for the header text alone; file_bytes is the length of the whole file.
Result<SafetensorsHeader> parse_safetensors_header(std::string_view text, uint64_t file_bytes,
                                                   const std::string& where);

}  // namespace spinert
