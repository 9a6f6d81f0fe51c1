// generated_checkpoint.h - checkpoints of any architecture from the counter-based generator of tests/golden/README.md,
// bit for bit those of tests/golden/generated_checkpoint.py.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "converter/source_tensors.h"
#include "kernels/base/status.h"

namespace spinert::generated {

// Fills a tensor of a checkpoint, C order; `number` counts the tensors in the order of the architecture.
using FillTensor = std::function<void(const ExpectedTensor& tensor, size_t number, std::vector<float>& values)>;
// Writes a safetensors file with every tensor that the architecture asks for.
Status write_checkpoint(const std::string& path, const std::string& architecture, const PipelineConfig& config,
                        const FillTensor& fill);

// The generated weights of the README.
Status write_generated_checkpoint(const std::string& path, const std::string& architecture,
                                  const PipelineConfig& config, uint64_t seed);

// The generator itself.
uint64_t stream_seed(const std::string& name, uint64_t seed);
double normal(uint64_t seed, uint64_t index);

// Writes the config beside the checkpoints detector.safetensors and classifier.safetensors of a folder, converts them
// and returns the model's path.
Result<std::string> convert_folder(const std::string& folder, const std::string& config);

}  // namespace spinert::generated
