#include "converter/architectures/resnet_blocks.h"

#include "kernels/add/add.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace spinert {
namespace {

int shortcut(NetworkBuilder& b, const std::string& source, const std::string& output, int x, int64_t in, int64_t out,
             int64_t stride) {
  if (stride == 1 && in == out) return x;
  return b.conv_bn(source + ".downsample.0", source + ".downsample.1", output + ".downsample", x,
                   {in, out, 1, stride, 0});
}

int add_and_relu(NetworkBuilder& b, const std::string& output, int x, int identity) {
  const int sum = b.add(OpId::add, {output + ".add"}, AddParams{}, {x, identity});
  return b.relu(output, sum);
}

}  // namespace

int resnet_stem(NetworkBuilder& b, const std::string& conv, const std::string& norm, const std::string& prefix,
                int image, int64_t out) {
  const int conv1 = b.conv_bn(conv, norm, prefix + "conv1", image, {3, out, 7, 2, 3});
  const int stem = b.relu(prefix + "stem", conv1);
  return b.add(OpId::max_pool2d, {prefix + "maxpool"}, MaxPool2dParams{3, 2, 1}, {stem});
}

int basic_block(NetworkBuilder& b, const std::string& source, const std::string& output, int x, int64_t in, int64_t out,
                int64_t stride) {
  const int conv1 = b.conv_bn(source + ".conv1", source + ".bn1", output + ".conv1", x, {in, out, 3, stride, 1});
  const int relu1 = b.relu(output + ".relu1", conv1);
  const int conv2 = b.conv_bn(source + ".conv2", source + ".bn2", output + ".conv2", relu1, {out, out, 3, 1, 1});
  return add_and_relu(b, output, conv2, shortcut(b, source, output, x, in, out, stride));
}

ResNetLayers basic_layers(NetworkBuilder& b, const std::array<std::string, kResNetLayers>& source,
                          const std::string& prefix, int x, int64_t in, const int64_t (&widths)[kResNetLayers]) {
  ResNetLayers layers{};
  for (size_t l = 0; l < kResNetLayers; ++l) {
    for (int block = 0; block < 2; ++block) {
      const std::string number = "." + std::to_string(block);
      x = basic_block(b, source[l] + number, prefix + "layer" + std::to_string(l + 1) + number, x, in, widths[l],
                      l > 0 && block == 0 ? 2 : 1);
      in = widths[l];
    }
    layers[l] = x;
  }
  return layers;
}

int bottleneck_block(NetworkBuilder& b, const std::string& source, const std::string& output, int x, int64_t in,
                     int64_t planes, int64_t stride) {
  const int64_t out = planes * kBottleneckExpansion;
  const int conv1 = b.conv_bn(source + ".conv1", source + ".bn1", output + ".conv1", x, {in, planes, 1, 1, 0});
  const int relu1 = b.relu(output + ".relu1", conv1);
  const int conv2 =
      b.conv_bn(source + ".conv2", source + ".bn2", output + ".conv2", relu1, {planes, planes, 3, stride, 1});
  const int relu2 = b.relu(output + ".relu2", conv2);
  const int conv3 = b.conv_bn(source + ".conv3", source + ".bn3", output + ".conv3", relu2, {planes, out, 1, 1, 0});
  return add_and_relu(b, output, conv3, shortcut(b, source, output, x, in, out, stride));
}

}  // namespace spinert
