// resnet_blocks.h - the stem and the residual blocks that all ResNets share.
#pragma once

#include <array>
#include <string>

#include "converter/network_builder.h"

namespace spinert {

// 7x7 convolution of stride 2, relu, max pooling. `conv` and `norm` are the checkpoint's names; values are conv1, stem,
// maxpool with the prefix before each.
int resnet_stem(NetworkBuilder& builder, const std::string& conv, const std::string& norm, const std::string& prefix,
                int image, int64_t out);

// Two 3x3 convolutions beside the identity (or a 1x1 convolution where the shape changes); `output` is the block's
// value after the last relu, inner values are output + ".conv1" and so on.
int basic_block(NetworkBuilder& builder, const std::string& source, const std::string& output, int x, int64_t in,
                int64_t out, int64_t stride);

// The four layers of two basic blocks, halving the picture from the second layer on. `source` has one name per layer;
// values are prefix + "layer1.0" and so on. Gives the output of each layer.
inline constexpr int kResNetLayers = 4;
using ResNetLayers = std::array<int, kResNetLayers>;
ResNetLayers basic_layers(NetworkBuilder& builder, const std::array<std::string, kResNetLayers>& source,
                          const std::string& prefix, int x, int64_t in, const int64_t (&widths)[kResNetLayers]);

// 1x1, 3x3 with the stride, 1x1 with four times the planes.
inline constexpr int64_t kBottleneckExpansion = 4;
int bottleneck_block(NetworkBuilder& builder, const std::string& source, const std::string& output, int x, int64_t in,
                     int64_t planes, int64_t stride);

}  // namespace spinert
