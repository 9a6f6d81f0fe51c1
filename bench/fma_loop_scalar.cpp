// fma_loop_scalar.cpp - baseline x86-64: separate multiply and add on four floats, as the scalar kernels get them from
// the compiler's vectoriser.
#include "bench/fma_loop.h"

namespace spinert::bench {
namespace {
using Vector = float __attribute__((vector_size(16)));
}

float fma_loop_scalar(int64_t rounds) {
  const Vector factor = {0.999f, 0.998f, 0.997f, 0.996f}, term = {1e-3f, 2e-3f, 3e-3f, 4e-3f};
  Vector sum[kFmaChains];
  for (int c = 0; c < kFmaChains; ++c) sum[c] = term * static_cast<float>(c + 1);
  for (int64_t i = 0; i < rounds; ++i) {
    for (Vector& s : sum) s = s * factor + term;
  }
  Vector all = sum[0];
  for (int c = 1; c < kFmaChains; ++c) all += sum[c];
  return all[0] + all[1] + all[2] + all[3];
}

}  // namespace spinert::bench
