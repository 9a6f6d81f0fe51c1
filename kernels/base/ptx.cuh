// ptx.cuh - everything that has no name in CUDA C++, each as one named inline function; its twin for the emulation does
// what the PTX manual says.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/base/half.h"

namespace spinert::ptx {

#if defined(SPINERT_EMULATE_CUDA)

inline uint16_t f16_bits(float value) {
  return f32_to_f16(value);
}
inline uint16_t bf16_bits(float value) {
  return f32_to_bf16(value);
}
inline float f16_value(uint16_t bits) {
  return f16_to_f32(bits);
}
inline float bf16_value(uint16_t bits) {
  return bf16_to_f32(bits);
}
// The lower half of the result is `low`.
inline uint32_t pack_f16x2(float low, float high) {
  return uint32_t{f32_to_f16(low)} | uint32_t{f32_to_f16(high)} << 16;
}
inline uint32_t pack_bf16x2(float low, float high) {
  return uint32_t{f32_to_bf16(low)} | uint32_t{f32_to_bf16(high)} << 16;
}

#else

__device__ __forceinline__ uint16_t f16_bits(float value) {
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
__device__ __forceinline__ uint16_t bf16_bits(float value) {
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
__device__ __forceinline__ float f16_value(uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
__device__ __forceinline__ float bf16_value(uint16_t bits) {
  return __uint_as_float(uint32_t{bits} << 16);
}
// The lower half of the result is `low`.
__device__ __forceinline__ uint32_t pack_f16x2(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ __forceinline__ uint32_t pack_bf16x2(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

#endif

__device__ __forceinline__ float to_float(float value) {
  return value;
}
__device__ __forceinline__ float to_float(f16 value) {
  return f16_value(value.bits);
}
__device__ __forceinline__ float to_float(bf16 value) {
  return bf16_value(value.bits);
}

template <class T>
__device__ __forceinline__ T from_float(float value) {
  if constexpr (std::is_same_v<T, f16>) {
    return {f16_bits(value)};
  } else if constexpr (std::is_same_v<T, bf16>) {
    return {bf16_bits(value)};
  } else {
    static_assert(std::is_same_v<T, float>);
    return value;
  }
}

template <class T>
__device__ __forceinline__ uint32_t pack_x2(float low, float high) {
  static_assert(std::is_same_v<T, f16> || std::is_same_v<T, bf16>);
  if constexpr (std::is_same_v<T, f16>) {
    return pack_f16x2(low, high);
  } else {
    return pack_bf16x2(low, high);
  }
}

}  // namespace spinert::ptx
