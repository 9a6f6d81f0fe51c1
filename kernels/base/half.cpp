#include "kernels/base/half.h"

#include <bit>

#include "kernels/base/quantise.h"

namespace spinert {
namespace {

constexpr uint32_t kInfinity = 0x7F800000u;
constexpr uint32_t kMagnitude = 0x7FFFFFFFu;

}  // namespace

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & kMagnitude) > kInfinity) return static_cast<uint16_t>((bits >> 16) | 0x40u);  // keep NaN a NaN
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & kMagnitude;
  if (magnitude > kInfinity) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // 65520 and more round to infinity
  if (magnitude < 0x38800000u) {
    // Below the smallest normal 2^-14: adding 0.5 lines the units of 2^-24 up with the last bit of the sum, and the
    // processor's own rounding is the one wanted.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(0.5f)));
  }
  const uint32_t rebased = magnitude - (112u << 23);
  return static_cast<uint16_t>(sign | ((rebased + 0xFFFu + ((rebased >> 13) & 1u)) >> 13));
}

float load_as_f32(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype) {
    case DType::f16: return f16_to_f32(tensor.as<uint16_t>()[i]);
    case DType::bf16: return bf16_to_f32(tensor.as<uint16_t>()[i]);
    case DType::u8: return dequantised(tensor.as<uint8_t>()[i], tensor.quantisation);
    default: return tensor.f32()[i];
  }
}

void store_from_f32(const Tensor& tensor, int64_t i, float value) {
  switch (tensor.dtype) {
    case DType::f16: tensor.as<uint16_t>()[i] = f32_to_f16(value); break;
    case DType::bf16: tensor.as<uint16_t>()[i] = f32_to_bf16(value); break;
    case DType::u8: tensor.as<uint8_t>()[i] = quantised(value, tensor.quantisation); break;
    default: tensor.f32()[i] = value; break;
  }
}

}  // namespace spinert
