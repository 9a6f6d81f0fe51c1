// roi_align_avx512.cpp - backend cpu, level avx512: roi_align.inl over SimdAvx512.
#include "kernels/roi_align/roi_align.inl"

namespace spinert {

extern const Kernel roi_align_avx512;
const Kernel roi_align_avx512 = {.run = roi_align_run<SimdAvx512>};

}  // namespace spinert
