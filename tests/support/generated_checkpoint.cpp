#include "tests/support/generated_checkpoint.h"

#include <cmath>
#include <fstream>
#include <set>
#include <span>

#include "converter/architectures/architectures.h"
#include "converter/convert.h"
#include "tests/ops/op_case.h"
#include "weights/safetensors_write.h"

namespace spinert::generated {
namespace {

constexpr double kResidualGain = 0.25, kProjectionGain = 0.75, kDeltaGain = 0.1;

double gain(const std::string& name, const std::set<std::string>& names) {
  if (name.ends_with("bbox_pred.weight")) return kDeltaGain;
  bool ends_basic = name.ends_with(".conv2.weight");
  if (ends_basic) {
    std::string third = name;
    third.replace(third.rfind(".conv2."), 7, ".conv3.");
    ends_basic = !names.contains(third);
  }
  if (ends_basic || name.ends_with(".conv3.weight")) return kResidualGain;
  return name.ends_with(".conv.2.weight") ? kProjectionGain : 1;
}

}  // namespace

uint64_t stream_seed(const std::string& name, uint64_t seed) {
  uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : name) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return value ^ seed;
}

double normal(uint64_t seed, uint64_t index) {
  const uint64_t word = cases::random_bits(seed, index);
  double total = 0;
  for (int shift = 0; shift < 64; shift += 16) total += static_cast<double>(word >> shift & 0xffff);
  return (total - 131070.0) / std::sqrt(1431655765.0);
}

Status write_checkpoint(const std::string& path, const std::string& architecture, const PipelineConfig& config,
                        const FillTensor& fill) {
  SPINERT_ASSIGN(const auto expected, expected_tensors(*find_architecture(architecture), config));
  std::vector<std::vector<float>> values;
  std::vector<TensorData> tensors;
  for (const ExpectedTensor& tensor : expected) {
    TensorData data;
    data.name = tensor.name;
    uint64_t elements = 1;
    for (const auto dim : tensor.shape) {
      data.shape.push_back(static_cast<uint64_t>(dim));
      elements *= static_cast<uint64_t>(dim);
    }
    values.emplace_back(elements);
    fill(tensor, tensors.size(), values.back());
    tensors.push_back(std::move(data));
  }
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].data = std::as_bytes(std::span(values[i]));
  return write_safetensors(path, {}, tensors, AtomicFile::Existing::replace);
}

Status write_generated_checkpoint(const std::string& path, const std::string& architecture,
                                  const PipelineConfig& config, uint64_t seed) {
  SPINERT_ASSIGN(const auto expected, expected_tensors(*find_architecture(architecture), config));
  std::set<std::string> names;
  for (const ExpectedTensor& tensor : expected) names.insert(tensor.name);
  return write_checkpoint(path, architecture, config,
                          [&](const ExpectedTensor& tensor, size_t, std::vector<float>& values) {
                            const uint64_t stream = stream_seed(tensor.name, seed);
                            double fan_in = 1;
                            for (size_t d = 1; d < tensor.shape.size(); ++d)
                              fan_in *= static_cast<double>(tensor.shape[d]);
                            const double scale = gain(tensor.name, names) * std::sqrt(2.0 / fan_in);
                            for (size_t i = 0; i < values.size(); ++i) {
                              double value = normal(stream, i);
                              if (tensor.shape.size() > 1) {
                                value *= scale;
                              } else if (tensor.name.ends_with("running_var")) {
                                value = 1.0 + 0.2 * std::abs(value);
                              } else if (tensor.name.ends_with("weight")) {
                                value = 1.0 + 0.1 * value;
                              } else {
                                value *= 0.1;
                              }
                              values[i] = static_cast<float>(value);
                            }
                          });
}

Result<std::string> convert_folder(const std::string& folder, const std::string& config) {
  ConvertOptions options;
  options.detector = folder + "/detector.safetensors";
  options.classifier = folder + "/classifier.safetensors";
  options.config = folder + "/pipeline.json";
  options.output = folder + "/reduced.safetensors";
  options.existing = AtomicFile::Existing::replace;
  std::ofstream(options.config) << config;
  SPINERT_TRY(convert(options).status());
  return options.output;
}

}  // namespace spinert::generated
