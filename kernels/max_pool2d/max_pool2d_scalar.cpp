// max_pool2d_scalar.cpp - backend cpu, level scalar: max_pool2d.inl over SimdScalar.
#include "kernels/max_pool2d/max_pool2d.inl"

namespace spinert {

extern const Kernel max_pool2d_scalar;
const Kernel max_pool2d_scalar = {.run = max_pool2d_run<SimdScalar>, .also_takes = kTakesBf16};

}  // namespace spinert
