// checkpoint.h - the tensors of a trained network as its framework saved them, by name: .pth (zip of torch.save) or
// safetensors. Nothing in the file is executed. Floating-point types become f32; the values are as in the file, finite
// or not (the converter checks them).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "weights/zip_reader.h"

namespace spinert {

struct SourceTensor {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<float> values;      // empty for an integer tensor
  std::vector<int64_t> integers;  // of an i64 tensor
  std::string type;               // in the file: "F16"
};

struct Checkpoint {
  std::vector<SourceTensor> tensors;               // in the order of the file
  std::map<std::string, int64_t> module_versions;  // torch's _metadata: module name -> version
  std::vector<std::string> notes;                  // what was done that the user should know, one sentence each
  std::string sha256;                              // of the whole file
};

struct CheckpointOptions {
  std::string key;  // entry of a checkpoint dict that holds the state_dict; empty: the only one with tensors
  ZipOptions zip;
};

// Errors: E_INPUT_EMPTY, E_MODEL_TRUNCATED, E_MODEL_FORMAT (PT-nn, ST-nn, with a hint for kinds that are not read).
Result<Checkpoint> read_checkpoint(const std::string& path, const CheckpointOptions& options = {});

// Elements of all tensors together that are read at most; about ten times the largest network of this field.
inline constexpr uint64_t kMaxCheckpointElements = uint64_t{1} << 30;

}  // namespace spinert
