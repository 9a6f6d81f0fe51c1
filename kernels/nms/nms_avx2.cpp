// nms_avx2.cpp - backend cpu, level avx2: nms.inl over SimdAvx2.
#include "kernels/nms/nms.inl"

namespace spinert {

extern const Kernel nms_avx2;
const Kernel nms_avx2 = {.run = nms_run<SimdAvx2>, .scratch_bytes = nms_scratch};

}  // namespace spinert
