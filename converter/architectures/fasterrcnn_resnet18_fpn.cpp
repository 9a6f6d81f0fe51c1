// fasterrcnn_resnet18_fpn.cpp - torchvision's FasterRCNN over resnet_fpn_backbone('resnet18'): a feature pyramid.
#include "converter/architectures/architectures.h"
#include "converter/architectures/fasterrcnn.h"
#include "converter/architectures/resnet_blocks.h"
#include "kernels/max_pool2d/max_pool2d.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

namespace spinert {
namespace {

constexpr int kLevels = kResNetLayers;  // of the pyramid; the region proposals use one more
constexpr int kFinestStride = 4;        // pixels of the canvas per pixel of level 0

struct Spec {
  int64_t stem;             // channels behind the first convolution
  int64_t widths[kLevels];  // of each layer of two blocks
  int64_t pyramid;          // channels of every level
  int64_t hidden;           // of the box head
};
constexpr Spec kResNet18{64, {64, 128, 256, 512}, 256, 1024};
constexpr Spec kReduced{4, {4, 4, 8, 8}, 8, 16};

// Before version 2 of the modules, torchvision's names had one number less.
void migrate_names(SourceTensors& source) {
  for (const char* kind : {"weight", "bias"}) {
    for (int i = 0; i < kLevels; ++i) {
      for (const char* block : {"backbone.fpn.inner_blocks", "backbone.fpn.layer_blocks"}) {
        source.rename(numbered(block, i) + "." + kind, numbered(block, i) + ".0." + kind);
      }
    }
  }
}

ResNetLayers backbone(NetworkBuilder& b, int image, const Spec& spec) {
  const std::string source = "backbone.body.";
  const int x = resnet_stem(b, source + "conv1", source + "bn1", "body.", image, spec.stem);
  return basic_layers(b, {source + "layer1", source + "layer2", source + "layer3", source + "layer4"}, "body.", x,
                      spec.stem, spec.widths);
}

DetectorMaps pyramid(NetworkBuilder& b, const ResNetLayers& layers, const Spec& spec) {
  int merged[kLevels];
  for (int l = kLevels - 1; l >= 0; --l) {
    const ConvSpec lateral{spec.widths[l], spec.pyramid, 1, 1, 0};
    const std::string name = numbered("fpn.lateral", l);
    const auto constants = b.conv_constants(numbered("backbone.fpn.inner_blocks", l) + ".0", name, lateral);
    merged[l] = b.conv(name, layers[static_cast<size_t>(l)], constants, lateral);
    if (l < kLevels - 1) {
      merged[l] = b.add(OpId::upsample_nearest2d, {numbered("fpn.inner", l)}, UpsampleNearest2dParams{},
                        {merged[l + 1], merged[l]});
    }
  }
  DetectorMaps maps{.proposals = {}, .regions = {}, .channels = spec.pyramid, .finest_stride = kFinestStride};
  const ConvSpec smooth{spec.pyramid, spec.pyramid, 3, 1, 1};
  for (int l = 0; l < kLevels; ++l) {
    const std::string name = numbered("fpn", l);
    const auto constants = b.conv_constants(numbered("backbone.fpn.layer_blocks", l) + ".0", name, smooth);
    maps.regions.push_back(b.conv(name, merged[l], constants, smooth));
  }
  // The coarsest level of the proposals: every second row and column of the one before.
  maps.proposals = maps.regions;
  maps.proposals.push_back(b.add(OpId::max_pool2d, {"fpn.pool"}, MaxPool2dParams{1, 2, 0}, {maps.regions.back()}));
  return maps;
}

Status build(NetworkBuilder& b, const PipelineConfig& config, const Spec& spec) {
  migrate_names(b.source());
  return build_fasterrcnn(b, config, {.levels = kLevels + 1, .hidden = spec.hidden},
                          [&](int image) { return pyramid(b, backbone(b, image, spec), spec); });
}

}  // namespace

Status build_fasterrcnn_resnet18_fpn(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kResNet18);
}

Status build_fasterrcnn_reduced_fpn(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kReduced);
}

}  // namespace spinert
