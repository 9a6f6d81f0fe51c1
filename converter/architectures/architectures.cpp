#include "converter/architectures/architectures.h"

#include <algorithm>

namespace spinert {
namespace {

constexpr Architecture kArchitectures[] = {
    {"fasterrcnn_resnet18_fpn", Architecture::Role::detector, build_fasterrcnn_resnet18_fpn},
    {"fasterrcnn_reduced_fpn", Architecture::Role::detector, build_fasterrcnn_reduced_fpn},
    {"fasterrcnn_resnet18_c5", Architecture::Role::detector, build_fasterrcnn_resnet18_c5},
    {"fasterrcnn_reduced_c5", Architecture::Role::detector, build_fasterrcnn_reduced_c5},
    {"fasterrcnn_mobilenet_v2", Architecture::Role::detector, build_fasterrcnn_mobilenet_v2},
    {"fasterrcnn_reduced_mobilenet", Architecture::Role::detector, build_fasterrcnn_reduced_mobilenet},
    {"resnet50_multilabel", Architecture::Role::classifier, build_resnet50_multilabel},
    {"resnet_reduced_multilabel", Architecture::Role::classifier, build_resnet_reduced_multilabel},
};

}  // namespace

std::span<const Architecture> architectures() {
  return kArchitectures;
}

const Architecture* find_architecture(std::string_view name) {
  const auto* row = std::ranges::find(kArchitectures, name, &Architecture::name);
  return row == std::end(kArchitectures) ? nullptr : row;
}

Result<std::vector<ExpectedTensor>> expected_tensors(const Architecture& architecture, const PipelineConfig& config) {
  // An empty checkpoint: the builder notes what it asks for.
  NetworkBuilder builder("expected", SourceTensors(Checkpoint{}, ""), 0);
  SPINERT_TRY(architecture.build(builder, config));
  return builder.source().expected();
}

}  // namespace spinert
