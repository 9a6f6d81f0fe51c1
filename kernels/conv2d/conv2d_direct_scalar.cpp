// conv2d_direct_scalar.cpp - backend cpu, level scalar: convolution with any number of groups, depthwise included, as
// plain loops in float. The fallback that takes every call; one output row per work item.
#include <algorithm>

#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias, kResidual };

// One output pixel in place: y[o] sums tap by tap, channel by channel; o runs innermost over contiguous weights.
void pixel(const Conv2dParams& p, const Conv2dShape& s, const float* image, const float* weight, int64_t oy, int64_t ox,
           float* y) {
  const int64_t group_in = s.in_c / p.groups, group_out = s.out_c / p.groups;
  std::fill(y, y + s.out_c, 0.0f);
  for (int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
    const int64_t iy = oy * p.stride + tap / s.kernel_w * p.dilation - p.padding;
    const int64_t ix = ox * p.stride + tap % s.kernel_w * p.dilation - p.padding;
    if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
    const float* x = image + (iy * s.in_w + ix) * s.in_c;
    const float* w = weight + tap * group_in * s.out_c;
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t c = 0; c < group_in; ++c) {
        const float value = x[g * group_in + c];
        const float* row = w + c * s.out_c;
        for (int64_t o = g * group_out; o < (g + 1) * group_out; ++o) y[o] += value * row[o];
      }
    }
  }
}

void run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  const float* residual = call.has(kResidual) ? call.in[kResidual].f32() : nullptr;
  context.pool->run(call.in[kX].rows() * s.out_h, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / s.out_h, oy = item % s.out_h;
      const float* image = call.in[kX].f32() + n * s.in_h * s.in_w * s.in_c;
      for (int64_t ox = 0; ox < s.out_w; ++ox) {
        float* y = call.out[0].f32() + (item * s.out_w + ox) * s.out_c;
        pixel(p, s, image, call.in[kWeight].f32(), oy, ox, y);
        const int64_t ry = oy / p.residual_upsample, rx = ox / p.residual_upsample;
        const float* r = residual ? residual + ((n * s.residual_h + ry) * s.residual_w + rx) * s.out_c : nullptr;
        for (int64_t o = 0; o < s.out_c; ++o) {
          float sum = y[o];
          if (bias) sum += bias[o];
          if (r) sum += r[o];
          y[o] = activate(p.activation, sum);
        }
      }
    }
  });
}

}  // namespace

extern const Kernel conv2d_direct_scalar;
const Kernel conv2d_direct_scalar = {.run = run};

}  // namespace spinert
