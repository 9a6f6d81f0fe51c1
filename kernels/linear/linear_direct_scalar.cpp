// linear_direct_scalar.cpp - backend cpu, level scalar: plain loops in float over f32 or bf16 rows. The fallback that
// takes every call; one row per work item, weights as they are.
#include <algorithm>

#include "kernels/base/simd.h"
#include "kernels/linear/linear.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias };

int64_t scratch_bytes(const OpCall& call, int threads) {
  return threads * call.in[kWeight].shape[1] * int64_t{sizeof(float)};
}

template <class X, class Y>
void run_as(const OpCall& call, const RunContext& context) {
  const int64_t depth = call.in[kWeight].shape[0], width = call.in[kWeight].shape[1];
  const Activation activation = call.as<LinearParams>().activation;
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  context.pool->run(call.in[kX].rows(), [&](WorkRange range) {
    float* sums = static_cast<float*>(context.scratch) + range.thread * width;
    for (int64_t r = range.begin; r < range.end; ++r) {
      const X* x = static_cast<const X*>(call.in[kX].data) + r * depth;
      Y* y = static_cast<Y*>(call.out[0].data) + r * width;
      std::fill(sums, sums + width, 0.0f);
      for (int64_t k = 0; k < depth; ++k) {
        const float value = SimdScalar::loadu(x + k);
        const float* weight = call.in[kWeight].f32() + k * width;
        for (int64_t o = 0; o < width; ++o) sums[o] += value * weight[o];
      }
      for (int64_t o = 0; o < width; ++o) {
        SimdScalar::storeu(y + o, activate(activation, bias ? sums[o] + bias[o] : sums[o]));
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

extern const Kernel linear_direct_scalar;
const Kernel linear_direct_scalar = {.run = run, .scratch_bytes = scratch_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
