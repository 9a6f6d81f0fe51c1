// fma_loop_avx512_bf16.cpp - 32 products of bf16 per instruction (vdpbf16ps). Intrinsics, because a loop that the
// compiler rewrites measures the compiler.
#include <immintrin.h>

#include "bench/fma_loop.h"

namespace spinert::bench {

float fma_loop_avx512_bf16(int64_t rounds) {
  const __m512bh left = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(-0.5f));
  const __m512bh right = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.25f), _mm512_set1_ps(0.25f));
  __m512 sum[kFmaChains];
  for (int c = 0; c < kFmaChains; ++c) sum[c] = _mm512_set1_ps(static_cast<float>(c + 1));
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512& s : sum) s = _mm512_dpbf16_ps(s, left, right);
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
