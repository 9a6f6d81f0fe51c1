// roi_align_avx2.cpp - backend cpu, level avx2: roi_align.inl over SimdAvx2.
#include "kernels/roi_align/roi_align.inl"

namespace spinert {

extern const Kernel roi_align_avx2;
const Kernel roi_align_avx2 = {.run = roi_align_run<SimdAvx2>};

}  // namespace spinert
