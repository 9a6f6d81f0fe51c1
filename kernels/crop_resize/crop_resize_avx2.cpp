// crop_resize_avx2.cpp - backend cpu, level avx2: crop_resize.inl over SimdAvx2.
#include "kernels/crop_resize/crop_resize.inl"

namespace spinert {

extern const Kernel crop_resize_avx2;
const Kernel crop_resize_avx2 = {.run = crop_resize_run<SimdAvx2>, .scratch_bytes = crop_scratch};

}  // namespace spinert
