// nms_scalar.cpp - backend cpu, level scalar: nms.inl over SimdScalar.
#include "kernels/nms/nms.inl"

namespace spinert {

extern const Kernel nms_scalar;
const Kernel nms_scalar = {.run = nms_run<SimdScalar>, .scratch_bytes = nms_scratch};

}  // namespace spinert
