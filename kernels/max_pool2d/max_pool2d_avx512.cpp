// max_pool2d_avx512.cpp - backend cpu, level avx512: max_pool2d.inl over SimdAvx512.
#include "kernels/max_pool2d/max_pool2d.inl"

namespace spinert {

extern const Kernel max_pool2d_avx512;
const Kernel max_pool2d_avx512 = {.run = max_pool2d_run<SimdAvx512>};

}  // namespace spinert
