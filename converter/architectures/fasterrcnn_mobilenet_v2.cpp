// fasterrcnn_mobilenet_v2.cpp - torchvision's FasterRCNN over mobilenet_v2().features (stride 32, 1280 channels), as
// its tutorial builds it: inverted residuals of a 1x1 expansion, a depthwise 3x3 and a linear 1x1 projection.
#include "converter/architectures/architectures.h"
#include "converter/architectures/fasterrcnn.h"
#include "kernels/add/add.h"

namespace spinert {
namespace {

constexpr int64_t kStride = 32;

// A run of inverted residuals; only the first one has the stride.
struct Stage {
  int64_t expansion, out, blocks, stride;
};
struct Spec {
  int64_t stem;  // channels behind the first convolution
  std::vector<Stage> stages;
  int64_t last;    // channels of the feature map
  int64_t hidden;  // of the box head
};

Spec mobilenet_v2() {
  return {32,
          {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}},
          1280,
          1024};
}

Spec reduced() {
  return {8, {{1, 8, 1, 1}, {3, 12, 2, 2}, {3, 16, 2, 2}, {4, 20, 1, 2}, {4, 20, 1, 1}, {2, 24, 1, 2}}, 40, 16};
}

int conv_relu6(NetworkBuilder& b, const std::string& source, const std::string& output, int x, const ConvSpec& spec) {
  return b.relu6(output, b.conv_bn(source + ".0", source + ".1", output + ".conv", x, spec));
}

// `source` and `output` name the block in the checkpoint and in the graph. The projection has no activation; with
// stride 1 and equal channels the input is added to it.
int inverted_residual(NetworkBuilder& b, const std::string& source, const std::string& output, int x, int64_t in,
                      const Stage& stage, int64_t stride) {
  const int64_t inner = in * stage.expansion;
  int part = 0, y = x;
  if (stage.expansion != 1) {
    y = conv_relu6(b, numbered(source + ".conv", part++), output + ".expand", y, {in, inner, 1, 1, 0});
  }
  y = conv_relu6(b, numbered(source + ".conv", part++), output + ".depthwise", y, {inner, inner, 3, stride, 1, inner});
  const bool shortcut = stride == 1 && in == stage.out;
  y = b.conv_bn(numbered(source + ".conv", part), numbered(source + ".conv", part + 1),
                shortcut ? output + ".project" : output, y, {inner, stage.out, 1, 1, 0});
  return shortcut ? b.add(OpId::add, {output}, AddParams{}, {x, y}) : y;
}

DetectorMaps backbone(NetworkBuilder& b, int image, const Spec& spec) {
  int part = 0;
  int x = conv_relu6(b, numbered("backbone", part), numbered("body", part), image, {3, spec.stem, 3, 2, 1});
  int64_t channels = spec.stem;
  for (const Stage& stage : spec.stages) {
    for (int64_t block = 0; block < stage.blocks; ++block) {
      ++part;
      x = inverted_residual(b, numbered("backbone", part), numbered("body", part), x, channels, stage,
                            block == 0 ? stage.stride : 1);
      channels = stage.out;
    }
  }
  ++part;
  x = conv_relu6(b, numbered("backbone", part), numbered("body", part), x, {channels, spec.last, 1, 1, 0});
  return {.proposals = {x}, .regions = {x}, .channels = spec.last, .finest_stride = kStride};
}

Status build(NetworkBuilder& b, const PipelineConfig& config, const Spec& spec) {
  return build_fasterrcnn(b, config, {.levels = 1, .hidden = spec.hidden},
                          [&](int image) { return backbone(b, image, spec); });
}

}  // namespace

Status build_fasterrcnn_mobilenet_v2(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, mobilenet_v2());
}

Status build_fasterrcnn_reduced_mobilenet(NetworkBuilder& builder, const PipelineConfig& config) {
  return build(builder, config, reduced());
}

}  // namespace spinert
