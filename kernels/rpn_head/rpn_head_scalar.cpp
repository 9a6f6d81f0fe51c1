// rpn_head_scalar.cpp - backend cpu, level scalar: plain loops in float over f32 or bf16 maps, one row of a map per
// work item. Where no faster row takes the node the engine keeps the convolutions of the head apart; this row serves
// graphs that come with rpn_head.
#include <algorithm>

#include "kernels/base/epilogue.h"
#include "kernels/base/simd.h"
#include "kernels/rpn_head/rpn_head.h"

namespace spinert {
namespace {

// out[o] += sum over k of x[k] * weight[k][o], row by row of the weight.
template <class X>
void add_product(const X* x, int64_t n, const float* weight, int64_t channels, float* out) {
  for (int64_t k = 0; k < n; ++k) {
    const float value = SimdScalar::loadu(x + k);
    for (int64_t o = 0; o < channels; ++o) out[o] += value * weight[k * channels + o];
  }
}

// X: type of the maps.
template <class X>
void pixel(const OpCall& call, size_t level, int64_t y, int64_t x, float* hidden) {
  const Tensor &map = call.in[rpn_head_map(level)], &weight = call.in[kRpnWeight];
  const int64_t height = map.shape[1], width = map.shape[2], channels = map.shape[3], k = weight.shape[3];
  std::copy_n(call.in[kRpnBias].f32(), k, hidden);
  for (int64_t tap = 0; tap < 9; ++tap) {
    const int64_t iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
    if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
    add_product(static_cast<const X*>(map.data) + (iy * width + ix) * channels, channels,
                weight.f32() + tap * channels * k, k, hidden);
  }
  for (int64_t o = 0; o < k; ++o) hidden[o] = activate(Activation::relu, hidden[o]);
  const size_t levels = rpn_head_levels(call);
  for (const size_t second : {size_t{kRpnLogitsWeight}, size_t{kRpnDeltasWeight}}) {
    const Tensor& bias = call.in[second + 1];
    const int64_t outputs = bias.shape[0];
    const Tensor& out = call.out[second == kRpnLogitsWeight ? level : levels + level];
    float* to = out.f32() + (y * width + x) * outputs;
    std::copy_n(bias.f32(), outputs, to);
    add_product<float>(hidden, k, call.in[second].f32(), outputs, to);
  }
}

int64_t scratch_bytes(const OpCall& call, int threads) {
  return threads * call.in[kRpnBias].bytes();
}

void run(const OpCall& call, const RunContext& context) {
  const int64_t k = call.in[kRpnBias].shape[0];
  const bool half = call.in[kRpnMap0].dtype == DType::bf16;
  for (size_t level = 0; level < rpn_head_levels(call); ++level) {
    const Shape& map = call.in[rpn_head_map(level)].shape;
    context.pool->run(map[1], [&](WorkRange range) {
      float* hidden = static_cast<float*>(context.scratch) + range.thread * k;
      for (int64_t y = range.begin; y < range.end; ++y) {
        for (int64_t x = 0; x < map[2]; ++x) {
          half ? pixel<bf16>(call, level, y, x, hidden) : pixel<float>(call, level, y, x, hidden);
        }
      }
    });
  }
}

}  // namespace

extern const Kernel rpn_head_scalar;
const Kernel rpn_head_scalar = {.run = run, .scratch_bytes = scratch_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
