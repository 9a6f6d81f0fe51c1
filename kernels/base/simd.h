// simd.h - vectors of float behind one set of names, so that a kernel body is written once for every CPU level.
//
//   SimdScalar  1 lane, plain float        always
//   SimdAvx2    8 lanes, needs AVX2 + FMA  in files compiled for it (*_avx2.cpp, *_avx512.cpp)
//   SimdAvx512  16 lanes, needs F BW DQ VL in files compiled for it (*_avx512.cpp)
//
// A body is a template over one of them in an anonymous namespace of an .inl file. Everything here is in an anonymous
// namespace too: a copy compiled with AVX-512 can never replace another at link time (gate: no weak symbols in
// *_avx*.o).
//
// Names (V = vector of kLanes floats, M = one bit or truth value per lane):
//   zero set1 load loadu store storeu        load and store want kLanes * 4 byte alignment
//   load_n store_n                           first n lanes, 0 <= n <= kLanes; the others read as 0 and are not touched
//   loadu storeu load_n store_n of bf16*     the same over bf16 in memory; one rounding, the bits of half.h
//   stream fence                             a store past the caches, aligned like store; fence() before another
//                                            thread may read it
//   add sub mul div                          one rounding each
//   madd(a, b, c) = a * b + c                SimdScalar: two roundings; the others: one (fused)
//   max min                                  b if either is NaN and if equal, so max(zero(), x) is a relu that keeps
//   NaN max_nan                                  NaN if either is NaN greater(a, b) -> M, any(M)               false
//   for NaN blend(m, a, b)                           m ? b : a gather(base, index)                      index: kLanes
//   int32; kLanes loads hsum(v)                                  sum of lanes, pairwise, in a fixed order
//   load_u8(p, n)                            the first n bytes as numbers, the others as 0
//   store_u8(p, v, zero, n)                  clamp(round_half_even(v) + zero, 0, 255); NaN gives 0 (quantise.h)
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/base/half.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace spinert {
namespace {

struct SimdScalar {
  using V = float;
  using M = bool;
  static constexpr int64_t kLanes = 1;
  static constexpr bool kFused = false;

  static V zero() { return 0.0f; }
  static V set1(float x) { return x; }
  static V load(const float* p) { return *p; }
  static V loadu(const float* p) { return *p; }
  static V load_n(const float* p, int64_t n) { return n > 0 ? *p : 0.0f; }
  static void store(float* p, V v) { *p = v; }
  static void storeu(float* p, V v) { *p = v; }
  static void stream(float* p, V v) { *p = v; }
  static void fence() {}
  static void store_n(float* p, V v, int64_t n) {
    if (n > 0) *p = v;
  }
  static V loadu(const bf16* p) { return std::bit_cast<float>(uint32_t{p->bits} << 16); }
  static V load_n(const bf16* p, int64_t n) { return n > 0 ? loadu(p) : 0.0f; }
  static void storeu(bf16* p, V v) {
    const uint32_t bits = std::bit_cast<uint32_t>(v);
    p->bits = static_cast<uint16_t>(v != v ? (bits >> 16) | 0x40u : (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
  }
  static void store_n(bf16* p, V v, int64_t n) {
    if (n > 0) storeu(p, v);
  }
  static void stream(bf16* p, V v) { storeu(p, v); }
  static V add(V a, V b) { return a + b; }
  static V sub(V a, V b) { return a - b; }
  static V mul(V a, V b) { return a * b; }
  static V div(V a, V b) { return a / b; }
  static V madd(V a, V b, V c) { return a * b + c; }
  static V max(V a, V b) { return a > b ? a : b; }
  static V min(V a, V b) { return a < b ? a : b; }
  static V max_nan(V a, V b) { return a != a ? a : max(a, b); }
  static M greater(V a, V b) { return a > b; }
  static bool any(M m) { return m; }
  static V blend(M m, V a, V b) { return m ? b : a; }
  static V gather(const float* base, const int32_t* index) { return base[*index]; }
  static float hsum(V v) { return v; }
  static V load_u8(const uint8_t* p, int64_t n) { return n > 0 ? static_cast<float>(*p) : 0.0f; }
  static void store_u8(uint8_t* p, V v, int32_t zero, int64_t n) {
    const float low = static_cast<float>(-zero), high = static_cast<float>(255 - zero);
    if (n > 0) *p = static_cast<uint8_t>(static_cast<int32_t>(std::nearbyint(min(max(v, low), high))) + zero);
  }
};

#if defined(__AVX2__) && defined(__FMA__)

struct SimdAvx2 {
  using V = __m256;
  using M = __m256;
  static constexpr int64_t kLanes = 8;
  static constexpr bool kFused = true;

  // Lanes below n have all bits set.
  static __m256i mask_n(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static V zero() { return _mm256_setzero_ps(); }
  static V set1(float x) { return _mm256_set1_ps(x); }
  static V load(const float* p) { return _mm256_load_ps(p); }
  static V loadu(const float* p) { return _mm256_loadu_ps(p); }
  static V load_n(const float* p, int64_t n) { return _mm256_maskload_ps(p, mask_n(n)); }
  static void store(float* p, V v) { _mm256_store_ps(p, v); }
  static void storeu(float* p, V v) { _mm256_storeu_ps(p, v); }
  static void stream(float* p, V v) { _mm256_stream_ps(p, v); }
  static void fence() { _mm_sfence(); }
  static void store_n(float* p, V v, int64_t n) { _mm256_maskstore_ps(p, mask_n(n), v); }
  static V loadu(const bf16* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  static V load_n(const bf16* p, int64_t n) {
    if (n >= kLanes) return loadu(p);
    bf16 lanes[kLanes] = {};
    std::memcpy(lanes, p, static_cast<size_t>(n) * sizeof(bf16));
    return loadu(lanes);
  }
  static void storeu(bf16* p, V v) {
    const __m256i bits = _mm256_castps_si256(v), upper = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256i nan = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i rounded = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), nan, is_nan);
    const __m128i low = _mm256_castsi256_si128(rounded), high = _mm256_extracti128_si256(rounded, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi32(low, high));
  }
  static void stream(bf16* p, V v) {
    bf16 lanes[kLanes];
    storeu(lanes, v);
    _mm_stream_si128(reinterpret_cast<__m128i*>(p), _mm_loadu_si128(reinterpret_cast<const __m128i*>(lanes)));
  }
  static void store_n(bf16* p, V v, int64_t n) {
    if (n >= kLanes) return storeu(p, v);
    bf16 lanes[kLanes];
    storeu(lanes, v);
    std::memcpy(p, lanes, static_cast<size_t>(n) * sizeof(bf16));
  }
  static V add(V a, V b) { return _mm256_add_ps(a, b); }
  static V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static V div(V a, V b) { return _mm256_div_ps(a, b); }
  static V madd(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm256_max_ps(a, b); }
  static V min(V a, V b) { return _mm256_min_ps(a, b); }
  static V max_nan(V a, V b) { return _mm256_blendv_ps(max(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q)); }
  static M greater(V a, V b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
  static bool any(M m) { return _mm256_movemask_ps(m) != 0; }
  static V blend(M m, V a, V b) { return _mm256_blendv_ps(a, b, m); }
  static V gather(const float* base, const int32_t* index) {
    return _mm256_i32gather_ps(base, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(index)), 4);
  }
  static float hsum(V v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static V load_u8(const uint8_t* p, int64_t n) {
    alignas(8) uint8_t lanes[kLanes] = {};
    for (int64_t i = 0; i < n && i < kLanes; ++i) lanes[i] = p[i];
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(lanes))));
  }
  static void store_u8(uint8_t* p, V v, int32_t zero, int64_t n) {
    const V low = set1(static_cast<float>(-zero)), high = set1(static_cast<float>(255 - zero));
    const __m256i codes = _mm256_add_epi32(_mm256_cvtps_epi32(min(max(v, low), high)), _mm256_set1_epi32(zero));
    alignas(32) int32_t lanes[kLanes];
    _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), codes);
    for (int64_t i = 0; i < n && i < kLanes; ++i) p[i] = static_cast<uint8_t>(lanes[i]);
  }
};

#endif
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)

struct SimdAvx512 {
  using V = __m512;
  using M = __mmask16;
  static constexpr int64_t kLanes = 16;
  static constexpr bool kFused = true;
  // Masked forms with every lane on: gcc 12 warns of an uninitialised operand inside the plain ones.
  static constexpr M kAll = 0xffff;

  static __mmask16 mask_n(int64_t n) { return static_cast<__mmask16>((1u << n) - 1u); }
  static V zero() { return _mm512_setzero_ps(); }
  static V set1(float x) { return _mm512_set1_ps(x); }
  static V load(const float* p) { return _mm512_load_ps(p); }
  static V loadu(const float* p) { return _mm512_loadu_ps(p); }
  static V load_n(const float* p, int64_t n) { return _mm512_maskz_loadu_ps(mask_n(n), p); }
  static void store(float* p, V v) { _mm512_store_ps(p, v); }
  static void storeu(float* p, V v) { _mm512_storeu_ps(p, v); }
  static void stream(float* p, V v) { _mm512_stream_ps(p, v); }
  static void fence() { _mm_sfence(); }
  static void store_n(float* p, V v, int64_t n) { _mm512_mask_storeu_ps(p, mask_n(n), v); }
  static V from_bf16(__m256i half) {
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAll, _mm512_maskz_cvtepu16_epi32(kAll, half), 16));
  }
  static __m256i to_bf16(V v) {
    const __m512i bits = _mm512_castps_si512(v), upper = _mm512_maskz_srli_epi32(kAll, bits, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    const __m512i rounded = _mm512_maskz_srli_epi32(kAll, sum, 16);
    const M nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i chosen = _mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40));
    return _mm512_maskz_cvtepi32_epi16(kAll, chosen);
  }
  static V loadu(const bf16* p) { return from_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))); }
  static V load_n(const bf16* p, int64_t n) { return from_bf16(_mm256_maskz_loadu_epi16(mask_n(n), p)); }
  static void storeu(bf16* p, V v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_bf16(v)); }
  static void stream(bf16* p, V v) { _mm256_stream_si256(reinterpret_cast<__m256i*>(p), to_bf16(v)); }
  static void store_n(bf16* p, V v, int64_t n) { _mm256_mask_storeu_epi16(p, mask_n(n), to_bf16(v)); }
  static V add(V a, V b) { return _mm512_add_ps(a, b); }
  static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static V div(V a, V b) { return _mm512_div_ps(a, b); }
  static V madd(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static V max(V a, V b) { return _mm512_maskz_max_ps(kAll, a, b); }
  static V min(V a, V b) { return _mm512_maskz_min_ps(kAll, a, b); }
  static V max_nan(V a, V b) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), max(a, b), a); }
  static M greater(V a, V b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
  static bool any(M m) { return m != 0; }
  static V blend(M m, V a, V b) { return _mm512_mask_blend_ps(m, a, b); }
  static V gather(const float* base, const int32_t* index) {
    return _mm512_mask_i32gather_ps(zero(), kAll, _mm512_loadu_si512(index), base, 4);
  }
  static float hsum(V v) {
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_maskz_extractf32x8_ps(0xff, v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  static V load_u8(const uint8_t* p, int64_t n) {
    return _mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepu8_epi32(kAll, _mm_maskz_loadu_epi8(mask_n(n), p)));
  }
  static void store_u8(uint8_t* p, V v, int32_t zero, int64_t n) {
    const V low = set1(static_cast<float>(-zero)), high = set1(static_cast<float>(255 - zero));
    const __m512i codes = _mm512_maskz_cvtps_epi32(kAll, min(max(v, low), high));
    const __m512i moved = _mm512_add_epi32(codes, _mm512_set1_epi32(zero));
    const __m128i bytes = _mm512_maskz_cvtepi32_epi8(kAll, moved);
    if (n == kLanes) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);  // a masked store of bytes is many times slower
    } else {
      _mm_mask_storeu_epi8(p, mask_n(n), bytes);
    }
  }
};

#endif

// The widest of this file.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
using Simd = SimdAvx512;
#elif defined(__AVX2__) && defined(__FMA__)
using Simd = SimdAvx2;
#else
using Simd = SimdScalar;
#endif

}  // namespace
}  // namespace spinert
