// fma_loop_avx512.cpp - 16 floats per fused multiply-add. Intrinsics, because a loop that the compiler rewrites
// measures the compiler.
#include <immintrin.h>

#include "bench/fma_loop.h"

namespace spinert::bench {

float fma_loop_avx512(int64_t rounds) {
  const __m512 factor = _mm512_set1_ps(0.999f), term = _mm512_set1_ps(1e-3f);
  __m512 sum[kFmaChains];
  for (int c = 0; c < kFmaChains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c + 1));
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512& s : sum) s = _mm512_fmadd_ps(s, factor, term);
  }
  __m512 all = sum[0];
  for (int c = 1; c < kFmaChains; ++c) all = _mm512_add_ps(all, sum[c]);
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, all);
  float total = 0;
  for (const float lane : lanes) total += lane;
  return total;
}

}  // namespace spinert::bench
