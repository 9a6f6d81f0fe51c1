// round.h - constants of a case that become representable in its activation type, so that a kernel which stores them in
// that type loses nothing. check_case does this for the packed weight; a build does it for the others.
#pragma once

#include "kernels/base/half.h"

namespace spinert::cases {

// Rounds an f32 tensor to the numbers of `type`; f32 leaves it as it is.
inline void round_to(const Tensor& tensor, DType type) {
  if (tensor.dtype != DType::f32 || !is_half(type)) return;
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const float value = tensor.f32()[i];
    tensor.f32()[i] = type == DType::f16 ? f16_to_f32(f32_to_f16(value)) : bf16_to_f32(f32_to_bf16(value));
  }
}

}  // namespace spinert::cases
