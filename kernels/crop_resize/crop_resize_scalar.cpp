// crop_resize_scalar.cpp - backend cpu, level scalar: crop_resize.inl over SimdScalar.
#include "kernels/crop_resize/crop_resize.inl"

namespace spinert {

extern const Kernel crop_resize_scalar;
const Kernel crop_resize_scalar = {.run = crop_resize_run<SimdScalar>, .scratch_bytes = crop_scratch};

}  // namespace spinert
