// resnet50_multilabel.cpp - torchvision's resnet50 with fc -> one sigmoid per class, fed with patches cut around boxes.
#include "converter/architectures/architectures.h"
#include "converter/architectures/resnet_blocks.h"
#include "kernels/crop_resize/crop_resize.h"
#include "kernels/global_average_pool/global_average_pool.h"
#include "kernels/normalise/normalise.h"
#include "kernels/sigmoid/sigmoid.h"

namespace spinert {
namespace {

struct ResNetSpec {
  int64_t stem;       // channels behind the first convolution
  int64_t planes[4];  // of the bottlenecks of each layer
  int64_t blocks[4];
};
constexpr ResNetSpec kResNet50{64, {64, 128, 256, 512}, {3, 4, 6, 3}};
constexpr ResNetSpec kReduced{4, {2, 2, 4, 4}, {1, 1, 1, 1}};

Status build(NetworkBuilder& b, const PipelineConfig& config, const ResNetSpec& spec) {
  const int64_t size = config.detector.input.size;
  const int canvas = b.graph().add_input("canvas", DType::f32, {1, size, size, 1});
  const int boxes = b.graph().add_input("boxes", DType::f32, {config.detector.box.detections_per_image, 4});
  const int count = b.graph().add_input("count", DType::i32, {1});
  b.graph().values[static_cast<size_t>(boxes)].type.count = count;

  CropResizeParams crop;
  crop.size = config.patches.size;
  crop.table.clear();
  for (const auto& row : config.patches.table) crop.table.insert(crop.table.end(), row.begin(), row.end());
  const int patches = b.add(OpId::crop_resize, {"patches"}, crop, {canvas, boxes});
  const int image =
      b.add(OpId::normalise, {"image"}, NormaliseParams{config.classifier.mean, config.classifier.std}, {patches});
  int x = resnet_stem(b, "conv1", "bn1", "", image, spec.stem);
  int64_t channels = spec.stem;
  for (int layer = 0; layer < 4; ++layer) {
    for (int64_t block = 0; block < spec.blocks[layer]; ++block) {
      const std::string name = "layer" + std::to_string(layer + 1) + "." + std::to_string(block);
      x = bottleneck_block(b, name, name, x, channels, spec.planes[layer], layer > 0 && block == 0 ? 2 : 1);
      channels = spec.planes[layer] * kBottleneckExpansion;
    }
  }
  x = b.add(OpId::global_average_pool, {"avgpool"}, GlobalAveragePoolParams{}, {x});
  const auto classes = static_cast<int64_t>(config.classifier.class_names.size());
  const int logits = b.linear("fc", "logits", x, channels, classes);
  const int probabilities = b.add(OpId::sigmoid, {"probabilities"}, SigmoidParams{}, {logits});
  b.graph().outputs = {probabilities};
  return {};
}

}  // namespace

Status build_resnet50_multilabel(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kResNet50);
}

Status build_resnet_reduced_multilabel(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, kReduced);
}

}  // namespace spinert
