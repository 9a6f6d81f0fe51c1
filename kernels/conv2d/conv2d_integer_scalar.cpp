// conv2d_integer_scalar.cpp - backend cpu, level scalar: convolution of u8 codes in whole numbers, as plain loops. The
// fallback that takes every call whose input is u8; one output row per work item.
// Packed: weight codes s8 [taps][in / groups][out], then one step per output channel.
#include <algorithm>

#include "kernels/base/half.h"
#include "kernels/base/quantise.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias, kResidual };

constexpr int64_t kLine = 64;  // bytes; the steps begin on a line of their own, and so do the sums of each thread

int64_t whole_lines(int64_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

const char* rejects(const OpCall& call) {
  return call.in[kX].dtype == DType::u8 ? nullptr : "takes activations of u8 only";
}

int64_t codes_bytes(const OpCall& call) {
  return whole_lines(call.in[kWeight].elements());
}

int64_t packed_bytes(const OpCall& call) {
  return codes_bytes(call) + call.in[kWeight].shape[3] * int64_t{sizeof(float)};
}

void pack(const OpCall& call, void* packed, ThreadPool&) {
  const Tensor& weight = call.in[kWeight];
  const int64_t out_c = weight.shape[3], rows = weight.elements() / out_c;
  auto* codes = static_cast<int8_t*>(packed);
  auto* steps = reinterpret_cast<float*>(codes + codes_bytes(call));
  weight_steps(weight.f32(), rows, out_c, steps);
  for (int64_t i = 0; i < weight.elements(); ++i) codes[i] = quantised_weight(weight.f32()[i], steps[i % out_c]);
}

int64_t scratch_bytes(const OpCall& call, int threads) {
  return threads * whole_lines(call.out[0].shape[3] * int64_t{sizeof(int32_t)});
}

void pixel(const Conv2dParams& p, const Conv2dShape& s, const uint8_t* image, int32_t zero, const int8_t* weight,
           int64_t oy, int64_t ox, int32_t* sums) {
  const int64_t group_in = s.in_c / p.groups, group_out = s.out_c / p.groups;
  std::fill(sums, sums + s.out_c, 0);
  for (int64_t tap = 0; tap < s.kernel_h * s.kernel_w; ++tap) {
    const int64_t iy = oy * p.stride + tap / s.kernel_w * p.dilation - p.padding;
    const int64_t ix = ox * p.stride + tap % s.kernel_w * p.dilation - p.padding;
    if (iy < 0 || iy >= s.in_h || ix < 0 || ix >= s.in_w) continue;
    const uint8_t* x = image + (iy * s.in_w + ix) * s.in_c;
    const int8_t* w = weight + tap * group_in * s.out_c;
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t c = 0; c < group_in; ++c) {
        const int32_t value = static_cast<int32_t>(x[g * group_in + c]) - zero;
        const int8_t* row = w + c * s.out_c;
        for (int64_t o = g * group_out; o < (g + 1) * group_out; ++o) sums[o] += value * row[o];
      }
    }
  }
}

void run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const Tensor& x = call.in[kX];
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  const auto* weight = static_cast<const int8_t*>(context.packed);
  const auto* steps = reinterpret_cast<const float*>(weight + codes_bytes(call));
  const int64_t per_thread = whole_lines(s.out_c * int64_t{sizeof(int32_t)});
  context.pool->run(x.rows() * s.out_h, [&](WorkRange range) {
    auto* sums = reinterpret_cast<int32_t*>(static_cast<char*>(context.scratch) + range.thread * per_thread);
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / s.out_h, oy = item % s.out_h;
      const uint8_t* image = x.as<uint8_t>() + n * s.in_h * s.in_w * s.in_c;
      for (int64_t ox = 0; ox < s.out_w; ++ox) {
        pixel(p, s, image, x.quantisation.zero, weight, oy, ox, sums);
        const int64_t y = (item * s.out_w + ox) * s.out_c;
        const int64_t ry = oy / p.residual_upsample, rx = ox / p.residual_upsample;
        const int64_t r = ((n * s.residual_h + ry) * s.residual_w + rx) * s.out_c;
        for (int64_t o = 0; o < s.out_c; ++o) {
          float sum = static_cast<float>(sums[o]) * (x.quantisation.scale * steps[o]);
          if (bias) sum += bias[o];
          if (call.has(kResidual)) sum += load_as_f32(call.in[kResidual], r + o);
          store_from_f32(call.out[0], y + o, activate(p.activation, sum));
        }
      }
    }
  });
}

}  // namespace

extern const Kernel conv2d_integer_scalar;
const Kernel conv2d_integer_scalar = {.rejects = rejects,
                                      .run = run,
                                      .scratch_bytes = scratch_bytes,
                                      .packed_bytes = packed_bytes,
                                      .pack = pack,
                                      .also_takes = kTakesU8};

}  // namespace spinert
