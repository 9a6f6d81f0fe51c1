// linear_integer_scalar.cpp - backend cpu, level scalar: linear of u8 codes in whole numbers, as plain loops. The
// fallback that takes every call whose input is u8; one row per work item.
// Packed: weight codes s8 [in][out], then one step per output channel.
#include <algorithm>

#include "kernels/base/half.h"
#include "kernels/base/quantise.h"
#include "kernels/linear/linear.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias };

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
  return codes_bytes(call) + call.in[kWeight].shape[1] * int64_t{sizeof(float)};
}

void pack(const OpCall& call, void* packed, ThreadPool&) {
  const Tensor& weight = call.in[kWeight];
  const int64_t k_total = weight.shape[0], out_c = weight.shape[1];
  auto* codes = static_cast<int8_t*>(packed);
  auto* steps = reinterpret_cast<float*>(codes + codes_bytes(call));
  weight_steps(weight.f32(), k_total, out_c, steps);
  for (int64_t i = 0; i < weight.elements(); ++i) codes[i] = quantised_weight(weight.f32()[i], steps[i % out_c]);
}

int64_t scratch_bytes(const OpCall& call, int threads) {
  return threads * whole_lines(call.in[kWeight].shape[1] * int64_t{sizeof(int32_t)});
}

void run(const OpCall& call, const RunContext& context) {
  const int64_t k_total = call.in[kWeight].shape[0], out_c = call.in[kWeight].shape[1];
  const Tensor& x = call.in[kX];
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  const auto* weight = static_cast<const int8_t*>(context.packed);
  const auto* steps = reinterpret_cast<const float*>(weight + codes_bytes(call));
  const int64_t per_thread = whole_lines(out_c * int64_t{sizeof(int32_t)});
  context.pool->run(x.rows(), [&](WorkRange range) {
    auto* sums = reinterpret_cast<int32_t*>(static_cast<char*>(context.scratch) + range.thread * per_thread);
    for (int64_t r = range.begin; r < range.end; ++r) {
      std::fill(sums, sums + out_c, 0);
      for (int64_t k = 0; k < k_total; ++k) {
        const int32_t value = static_cast<int32_t>(x.as<uint8_t>()[r * k_total + k]) - x.quantisation.zero;
        const int8_t* row = weight + k * out_c;
        for (int64_t o = 0; o < out_c; ++o) sums[o] += value * row[o];
      }
      for (int64_t o = 0; o < out_c; ++o) {
        float sum = static_cast<float>(sums[o]) * (x.quantisation.scale * steps[o]);
        if (bias) sum += bias[o];
        store_from_f32(call.out[0], r * out_c + o, activate(call.as<LinearParams>().activation, sum));
      }
    }
  });
}

}  // namespace

extern const Kernel linear_integer_scalar;
const Kernel linear_integer_scalar = {.rejects = rejects,
                                      .run = run,
                                      .scratch_bytes = scratch_bytes,
                                      .packed_bytes = packed_bytes,
                                      .pack = pack,
                                      .also_takes = kTakesU8};

}  // namespace spinert
