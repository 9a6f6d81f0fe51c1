// safetensors_write.h - writes a safetensors file, tensors in the given order without holes, header padded with spaces
// to a multiple of 8. The file appears whole or not at all.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "weights/atomic_file.h"
#include "weights/safetensors.h"

namespace spinert {

// A tensor to be written; data belongs to the caller and has exactly the bytes of type and shape.
struct TensorData {
  std::string name;
  StorageType type = StorageType::F32;
  std::vector<uint64_t> shape;
  std::span<const std::byte> data;
};

// The tensor table that the file will have. Errors: E_INTERNAL for two equal names or data of the wrong size.
Result<std::vector<TensorInfo>> layout_tensors(std::span<const TensorData> tensors);

// Errors: as layout_tensors, E_OUTPUT.
Status write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                         std::span<const TensorData> tensors, AtomicFile::Existing existing);

}  // namespace spinert
