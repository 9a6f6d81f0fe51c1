// half.h - the two 16-bit float formats as they lie in memory, and conversions with one rounding (half to even); how
// to read and write one element of any type that activations have.
//
// f16 is IEEE binary16, bf16 the upper half of binary32. Both are storage: arithmetic is float. The conversions here
// are the definition on every backend; device code may use an instruction that gives the same bits
// (kernels/base/ptx.cuh).
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/base/tensor.h"

namespace spinert {

struct f16 {
  uint16_t bits;
};
struct bf16 {
  uint16_t bits;
};

// Overflow to infinity, NaN stays NaN.
uint16_t f32_to_f16(float value);
uint16_t f32_to_bf16(float value);

// Exact. 2^112 moves an f16 exponent (bias 15) to an f32 exponent (bias 127); multiplying also normalises f16
// subnormals, so that a loop over an array has no branch. Inf and NaN keep their payload.
inline float f16_to_f32(uint16_t bits) {
  const uint32_t sign = (bits & 0x8000u) << 16, magnitude = bits & 0x7FFFu;
  const uint32_t finite = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f);
  return std::bit_cast<float>(sign | (magnitude >= 0x7C00u ? (magnitude << 13) | 0x7F800000u : finite));
}
inline float bf16_to_f32(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

// The types that activations may have.
constexpr bool is_activation(DType type) {
  return type == DType::f32 || type == DType::f16 || type == DType::bf16 || type == DType::u8;
}
constexpr bool is_half(DType type) {
  return type == DType::f16 || type == DType::bf16;
}
// Element i of a tensor of any of these types. Codes of u8 are read and written by kernels/base/quantise.h.
float load_as_f32(const Tensor& tensor, int64_t i);
void store_from_f32(const Tensor& tensor, int64_t i, float value);

}  // namespace spinert
