// fasterrcnn_resnet18_c5.cpp - torchvision's FasterRCNN over the last map of resnet18 alone (stride 32), as its
// tutorial builds it: backbone = nn.Sequential(*list(resnet18().children())[:-2]).
#include "converter/architectures/architectures.h"
#include "converter/architectures/fasterrcnn.h"
#include "converter/architectures/resnet_blocks.h"

namespace spinert {
namespace {

constexpr int64_t kStride = 32;

struct Spec {
  int64_t stem;                   // channels behind the first convolution
  int64_t widths[kResNetLayers];  // of each layer of two blocks
  int64_t hidden;                 // of the box head
};
constexpr Spec kResNet18{64, {64, 128, 256, 512}, 1024};
constexpr Spec kReduced{4, {4, 4, 8, 8}, 16};

// Places of the children in the Sequential: conv1, bn1, relu, maxpool, layer1 to layer4.
DetectorMaps backbone(NetworkBuilder& b, int image, const Spec& spec) {
  const int x = resnet_stem(b, "backbone.0", "backbone.1", "body.", image, spec.stem);
  const ResNetLayers layers =
      basic_layers(b, {"backbone.4", "backbone.5", "backbone.6", "backbone.7"}, "body.", x, spec.stem, spec.widths);
  const int c5 = layers.back();
  return {.proposals = {c5}, .regions = {c5}, .channels = spec.widths[kResNetLayers - 1], .finest_stride = kStride};
}

Status build(NetworkBuilder& b, const PipelineConfig& config, const Spec& spec) {
  return build_fasterrcnn(b, config, {.levels = 1, .hidden = spec.hidden},
                          [&](int image) { return backbone(b, image, spec); });
}

}  // namespace

Status build_fasterrcnn_resnet18_c5(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kResNet18);
}

Status build_fasterrcnn_reduced_c5(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kReduced);
}

}  // namespace spinert
