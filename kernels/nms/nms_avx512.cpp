// nms_avx512.cpp - backend cpu, level avx512: nms.inl over SimdAvx512.
#include "kernels/nms/nms.inl"

namespace spinert {

extern const Kernel nms_avx512;
const Kernel nms_avx512 = {.run = nms_run<SimdAvx512>, .scratch_bytes = nms_scratch};

}  // namespace spinert
