// fpn_merge_scalar.cpp - backend cpu, level scalar: plain loops in float over f32 or bf16 maps, one output row per work
// item. The cpu backend keeps the two convolutions, because Winograd is faster there; this row serves graphs that come
// with fpn_merge.
#include <algorithm>

#include "kernels/base/simd.h"
#include "kernels/fpn_merge/fpn_merge.h"

namespace spinert {
namespace {

// out[o] += x[c] * rows[c][o] for one pixel of a map; a pixel outside adds nothing.
template <class X>
void add_pixel(const X* map, const Shape& m, int64_t y, int64_t x, const float* rows, int64_t outputs, float* out) {
  if (y < 0 || y >= m[1] || x < 0 || x >= m[2]) return;
  const X* pixel = map + (y * m[2] + x) * m[3];
  for (int64_t c = 0; c < m[3]; ++c) {
    const float value = SimdScalar::loadu(pixel + c);
    for (int64_t o = 0; o < outputs; ++o) out[o] += value * rows[c * outputs + o];
  }
}

int64_t scratch_bytes(const OpCall& call, int threads) {
  return threads * call.out[0].shape[3] * int64_t{sizeof(float)};
}

template <class X, class Y>
void run_as(const OpCall& call, const RunContext& context) {
  const Tensor &fine = call.in[kFpnFine], &coarse = call.in[kFpnCoarse];
  const Shape &f = fine.shape, &t = coarse.shape;
  const int64_t outputs = call.out[0].shape[3];
  const float* wc = call.in[kFpnWeight].f32();
  const float* k = wc + kFpnFineTaps * f[3] * outputs;
  context.pool->run(fine.rows() * f[1], [&](WorkRange range) {
    float* out = static_cast<float*>(context.scratch) + range.thread * outputs;
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / f[1], y = item % f[1];
      const X* a = static_cast<const X*>(fine.data) + n * f[1] * f[2] * f[3];
      const X* top = static_cast<const X*>(coarse.data) + n * t[1] * t[2] * t[3];
      for (int64_t x = 0; x < f[2]; ++x) {
        const int64_t cell = fpn_merge_class(y, f[1]) * 3 + fpn_merge_class(x, f[2]);
        std::copy_n(call.in[kFpnBorder].f32() + cell * outputs, outputs, out);
        for (int64_t tap = 0; tap < kFpnFineTaps; ++tap) {
          add_pixel(a, f, y + tap / 3 - 1, x + tap % 3 - 1, wc + tap * f[3] * outputs, outputs, out);
        }
        for (int64_t tap = 0; tap < kFpnCoarseTaps; ++tap) {
          const float* rows = k + ((y % 2 * 2 + x % 2) * kFpnCoarseTaps + tap) * t[3] * outputs;
          add_pixel(top, t, y / 2 + y % 2 - 1 + tap / 2, x / 2 + x % 2 - 1 + tap % 2, rows, outputs, out);
        }
        Y* y_out = static_cast<Y*>(call.out[0].data) + (item * f[2] + x) * outputs;
        for (int64_t o = 0; o < outputs; ++o) SimdScalar::storeu(y_out + o, out[o]);
      }
    }
  });
}

void run(const OpCall& call, const RunContext& context) {
  const bool half_in = call.in[kFpnFine].dtype == DType::bf16, half_out = call.out[0].dtype == DType::bf16;
  if (half_in) {
    half_out ? run_as<bf16, bf16>(call, context) : run_as<bf16, float>(call, context);
  } else {
    half_out ? run_as<float, bf16>(call, context) : run_as<float, float>(call, context);
  }
}

}  // namespace

extern const Kernel fpn_merge_scalar;
const Kernel fpn_merge_scalar = {.run = run, .scratch_bytes = scratch_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
