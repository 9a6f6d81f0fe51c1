// architectures.h - the networks that can be converted. One row per architecture: name, role and the function that
// builds it. To add one, write its file beside this one and add its row in architectures.cpp.
#pragma once

#include <span>
#include <string_view>

#include "config/pipeline_config.h"
#include "converter/network_builder.h"

namespace spinert {

struct Architecture {
  enum class Role : unsigned char { detector, classifier };
  std::string_view name;
  Role role;
  // Appends the whole network to the builder. Errors: E_CONFIG if the config cannot belong to this architecture;
  // everything else is collected in the builder.
  Status (*build)(NetworkBuilder& builder, const PipelineConfig& config);
};

std::span<const Architecture> architectures();
// Null if there is none of that name.
const Architecture* find_architecture(std::string_view name);

// The tensors that a checkpoint of this architecture must hold, in the newer naming generation.
Result<std::vector<ExpectedTensor>> expected_tensors(const Architecture& architecture, const PipelineConfig& config);

// Faster R-CNN with a feature pyramid over a ResNet of basic blocks.
Status build_fasterrcnn_resnet18_fpn(NetworkBuilder& builder, const PipelineConfig& config);
// The same with two to three orders of magnitude fewer weights. For tests that run a whole model in milliseconds.
Status build_fasterrcnn_reduced_fpn(NetworkBuilder& builder, const PipelineConfig& config);
// Faster R-CNN over the last map of a ResNet of basic blocks, and over that of MobileNetV2; each with its reduced form.
Status build_fasterrcnn_resnet18_c5(NetworkBuilder& builder, const PipelineConfig& config);
Status build_fasterrcnn_reduced_c5(NetworkBuilder& builder, const PipelineConfig& config);
Status build_fasterrcnn_mobilenet_v2(NetworkBuilder& builder, const PipelineConfig& config);
Status build_fasterrcnn_reduced_mobilenet(NetworkBuilder& builder, const PipelineConfig& config);
// ResNet of bottleneck blocks with one sigmoid per class.
Status build_resnet50_multilabel(NetworkBuilder& builder, const PipelineConfig& config);
Status build_resnet_reduced_multilabel(NetworkBuilder& builder, const PipelineConfig& config);

}  // namespace spinert
