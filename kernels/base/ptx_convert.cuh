// ptx_convert.cuh - conversions between float and the operand types of the matrix units (part of ptx.cuh).
//
// One rounding, half to even, the same bits as half.h; tf32 rounds half away from zero (cvt.rna). A NaN stays a NaN,
// its payload is not promised.
#pragma once

#include <type_traits>

#include "kernels/base/half.h"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/ptx_model.h"
#endif

namespace spinert::ptx {

#if defined(SPINERT_EMULATE_CUDA)

inline float f16_value(uint16_t bits) {
  return f16_to_f32(bits);
}
inline float bf16_value(uint16_t bits) {
  return bf16_to_f32(bits);
}
inline uint16_t f16_bits(float value) {
  return f32_to_f16(value);
}
inline uint16_t bf16_bits(float value) {
  return f32_to_bf16(value);
}
inline uint32_t pack_f16x2(float low, float high) {
  return f16_bits(low) | uint32_t{f16_bits(high)} << 16;
}
inline uint32_t pack_bf16x2(float low, float high) {
  return bf16_bits(low) | uint32_t{bf16_bits(high)} << 16;
}
inline uint32_t to_tf32(float value) {
  return ptx_model::to_tf32(value);
}
#define SPINERT_PTX inline

#else

#define SPINERT_PTX __device__ __forceinline__

SPINERT_PTX float f16_value(uint16_t bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
SPINERT_PTX float bf16_value(uint16_t bits) {
  return __uint_as_float(uint32_t{bits} << 16);
}
SPINERT_PTX uint16_t f16_bits(float value) {
  uint16_t bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
SPINERT_PTX uint16_t bf16_bits(float value) {
  uint16_t bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
// The instruction takes the upper half first.
SPINERT_PTX uint32_t pack_f16x2(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
SPINERT_PTX uint32_t pack_bf16x2(float low, float high) {
  uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}
SPINERT_PTX uint32_t to_tf32(float value) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

#endif

SPINERT_PTX float to_float(float value) {
  return value;
}
SPINERT_PTX float to_float(f16 value) {
  return f16_value(value.bits);
}
SPINERT_PTX float to_float(bf16 value) {
  return bf16_value(value.bits);
}
template <class T>
SPINERT_PTX T from_float(float value) {
  if constexpr (std::is_same_v<T, f16>) {
    return f16{f16_bits(value)};
  } else if constexpr (std::is_same_v<T, bf16>) {
    return bf16{bf16_bits(value)};
  } else {
    static_assert(std::is_same_v<T, float>);
    return value;
  }
}
// Two neighbours in memory order: low has the lower address.
template <class T>
SPINERT_PTX uint32_t pack_x2(float low, float high) {
  static_assert(std::is_same_v<T, f16> || std::is_same_v<T, bf16>);
  return std::is_same_v<T, f16> ? pack_f16x2(low, high) : pack_bf16x2(low, high);
}

}  // namespace spinert::ptx
