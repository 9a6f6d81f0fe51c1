// convert.h - two checkpoints and a pipeline config become one SpineRT model file (`spinert convert`).
//
//   ConvertOptions options{.detector = "det.pth", .classifier = "cls.pth", .config = "pipeline.json",
//                          .output = "model.safetensors"};
//   auto summary = convert(options);
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "converter/checkpoint.h"
#include "kernels/base/status.h"
#include "weights/atomic_file.h"

namespace spinert {

enum class WeightStorage : unsigned char { f32, f16, int8 };

struct ConvertOptions {
  std::string detector, classifier;  // .pth or safetensors checkpoints
  std::string config;                // path of pipeline.json
  std::string output;
  WeightStorage storage = WeightStorage::f32;
  std::string card;  // path of a JSON object for spinert.card; empty: a card that says that nothing is known
  // How to read each checkpoint (--key, --allow-trailing, --allow-missing-crc).
  CheckpointOptions detector_options{}, classifier_options{};
  AtomicFile::Existing existing = AtomicFile::Existing::refuse;
};

struct ConvertSummary {
  int64_t tensors = 0;
  int64_t elements = 0;            // of all weights and biases
  uint64_t data_bytes = 0;         // of the data part of the model
  std::vector<std::string> notes;  // what the user should know, one sentence each
};

// "f32", "f16", "int8"; false for any other name.
bool parse_storage(std::string_view name, WeightStorage& storage);

// Checkpoint elements in conv and linear weights from which on I8 is used.
inline constexpr int64_t kMinQuantisedElements = 4096;

// Errors: those of reading (checkpoint.h), E_CONFIG, E_MODEL_ARCH with at most 20 lines of differences, E_MODEL_VALUE,
// E_OUTPUT. Nothing is written before everything has been checked.
Result<ConvertSummary> convert(const ConvertOptions& options);

}  // namespace spinert
