// simd.h - the vector types that kernel bodies (*.inl) are written over: one struct of static functions per level, all
// with the same names. A file includes this once and uses Simd, the widest level that its compile flags allow.
//
// Everything lives in an unnamed namespace: an object built with AVX-512 must never give its copy of a function to the
// linker for use by a scalar caller (`nm` shows no weak symbol in *_avx*.o; tests/gates.sh checks it).
//
// max(a, b) and min(a, b) return b if either is NaN, as the instructions do: put the constant first to keep a NaN of x.
// madd(a, b, c) = a * b + c: fused on AVX2 and AVX-512, two roundings in scalar.
#pragma once

#include <cstdint>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace spinert {
namespace {

struct SimdScalar {
  using Reg = float;
  static constexpr int kLanes = 1;
  static Reg load(const float* p) { return *p; }
  static void store(float* p, Reg a) { *p = a; }
  static Reg load_partial(const float* p, int n) { return n > 0 ? *p : 0.0f; }
  static void store_partial(float* p, Reg a, int n) {
    if (n > 0) *p = a;
  }
  static Reg zero() { return 0.0f; }
  static Reg set1(float a) { return a; }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg sub(Reg a, Reg b) { return a - b; }
  static Reg mul(Reg a, Reg b) { return a * b; }
  static Reg madd(Reg a, Reg b, Reg c) { return a * b + c; }
  static Reg max(Reg a, Reg b) { return a > b ? a : b; }
  static Reg min(Reg a, Reg b) { return a < b ? a : b; }
};

#if defined(__AVX512F__)
struct SimdAvx512 {
  using Reg = __m512;
  static constexpr int kLanes = 16;
  static __mmask16 mask(int n) { return static_cast<__mmask16>((1u << n) - 1u); }
  static Reg load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Reg a) { _mm512_storeu_ps(p, a); }
  static Reg load_partial(const float* p, int n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store_partial(float* p, Reg a, int n) { _mm512_mask_storeu_ps(p, mask(n), a); }
  static Reg zero() { return _mm512_setzero_ps(); }
  static Reg set1(float a) { return _mm512_set1_ps(a); }
  static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
  static Reg madd(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
  static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm512_min_ps(a, b); }
};
using Simd = SimdAvx512;
#elif defined(__AVX2__)
struct SimdAvx2 {
  using Reg = __m256;
  static constexpr int kLanes = 8;
  static __m256i mask(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Reg load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Reg a) { _mm256_storeu_ps(p, a); }
  static Reg load_partial(const float* p, int n) { return _mm256_maskload_ps(p, mask(n)); }
  static void store_partial(float* p, Reg a, int n) { _mm256_maskstore_ps(p, mask(n), a); }
  static Reg zero() { return _mm256_setzero_ps(); }
  static Reg set1(float a) { return _mm256_set1_ps(a); }
  static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
  static Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
  static Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
  static Reg madd(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
  static Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }
  static Reg min(Reg a, Reg b) { return _mm256_min_ps(a, b); }
};
using Simd = SimdAvx2;
#else
using Simd = SimdScalar;
#endif

}  // namespace
}  // namespace spinert
