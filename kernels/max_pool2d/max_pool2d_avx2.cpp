// max_pool2d_avx2.cpp - backend cpu, level avx2: max_pool2d.inl over SimdAvx2.
#include "kernels/max_pool2d/max_pool2d.inl"

namespace spinert {

extern const Kernel max_pool2d_avx2;
const Kernel max_pool2d_avx2 = {.run = max_pool2d_run<SimdAvx2>};

}  // namespace spinert
