// fma_loop_avx512_vnni.cpp - 64 products of bytes per instruction (vpdpbusd). Intrinsics, because a loop that the
// compiler rewrites measures the compiler.
#include <immintrin.h>

#include "bench/fma_loop.h"

namespace spinert::bench {

float fma_loop_avx512_vnni(int64_t rounds) {
  const __m512i left = _mm512_set1_epi8(3), right = _mm512_set1_epi8(-2);
  __m512i sum[kFmaChains];
  for (int c = 0; c < kFmaChains; ++c) sum[c] = _mm512_set1_epi32(c + 1);
  for (int64_t i = 0; i < rounds; ++i) {
    for (__m512i& s : sum) s = _mm512_dpbusd_epi32(s, left, right);
  }
  __m512i all = sum[0];
  for (int c = 1; c < kFmaChains; ++c) all = _mm512_add_epi32(all, sum[c]);
  alignas(64) int32_t lanes[16];
  _mm512_store_si512(lanes, all);
  float total = 0;
  for (const int32_t lane : lanes) total += static_cast<float>(lane);
  return total;
}

}  // namespace spinert::bench
