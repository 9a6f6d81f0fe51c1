// conv2d_direct_scalar.cpp - backend cpu, level scalar: convolution with any number of groups, depthwise included, as
// plain loops in float, over f32 or bf16 activations. The fallback that takes every call; one output row per work item.
// Weights are used as they are.
#include <algorithm>

#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias, kResidual };

// The sums of one output pixel, tap by tap, channel by channel; o runs innermost over contiguous weights. X: float or
// bf16.
template <class X>
void pixel(const Conv2dParams& p, const Conv2dShape& s, const X* image, const float* weight, int64_t oy, int64_t ox,
           float* y) {
  const int64_t group_in = s.in_c / p.groups, group_out = s.out_c / p.groups;
  std::fill(y, y + s.out_c, 0.0f);
  for (int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
    const int64_t iy = oy * p.stride + tap / s.kernel_w * p.dilation - p.padding;
    const int64_t ix = ox * p.stride + tap % s.kernel_w * p.dilation - p.padding;
    if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
    const X* x = image + (iy * s.in_w + ix) * s.in_c;
    const float* w = weight + tap * group_in * s.out_c;
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t c = 0; c < group_in; ++c) {
        const float value = SimdScalar::loadu(x + g * group_in + c);
        const float* row = w + c * s.out_c;
        for (int64_t o = g * group_out; o < (g + 1) * group_out; ++o) y[o] += value * row[o];
      }
    }
  }
}

int64_t scratch_bytes(const OpCall& call, int threads) {
  return threads * conv2d_shape(call).out_c * int64_t{sizeof(float)};
}

template <class X, class Y>
void run_as(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  const X* residual = call.has(kResidual) ? static_cast<const X*>(call.in[kResidual].data) : nullptr;
  context.pool->run(call.in[kX].rows() * s.out_h, [&](WorkRange range) {
    float* sums = static_cast<float*>(context.scratch) + range.thread * s.out_c;
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / s.out_h, oy = item % s.out_h;
      const X* image = static_cast<const X*>(call.in[kX].data) + n * s.in_h * s.in_w * s.in_c;
      for (int64_t ox = 0; ox < s.out_w; ++ox) {
        Y* y = static_cast<Y*>(call.out[0].data) + (item * s.out_w + ox) * s.out_c;
        pixel(p, s, image, call.in[kWeight].f32(), oy, ox, sums);
        const int64_t ry = oy / p.residual_upsample, rx = ox / p.residual_upsample;
        const X* r = residual ? residual + ((n * s.residual_h + ry) * s.residual_w + rx) * s.out_c : nullptr;
        for (int64_t o = 0; o < s.out_c; ++o) {
          float sum = sums[o];
          if (bias) sum += bias[o];
          if (r) sum += SimdScalar::loadu(r + o);
          SimdScalar::storeu(y + o, activate(p.activation, sum));
        }
      }
    }
  });
}

void run(const OpCall& call, const RunContext& context) {
  const bool half_in = call.in[kX].dtype == DType::bf16, half_out = call.out[0].dtype == DType::bf16;
  if (half_in) {
    half_out ? run_as<bf16, bf16>(call, context) : run_as<bf16, float>(call, context);
  } else {
    half_out ? run_as<float, bf16>(call, context) : run_as<float, float>(call, context);
  }
}

}  // namespace

extern const Kernel conv2d_direct_scalar;
const Kernel conv2d_direct_scalar = {.run = run, .scratch_bytes = scratch_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
