// crop_resize_avx512.cpp - backend cpu, level avx512: crop_resize.inl over SimdAvx512.
#include "kernels/crop_resize/crop_resize.inl"

namespace spinert {

extern const Kernel crop_resize_avx512;
const Kernel crop_resize_avx512 = {.run = crop_resize_run<SimdAvx512>, .scratch_bytes = crop_scratch};

}  // namespace spinert
