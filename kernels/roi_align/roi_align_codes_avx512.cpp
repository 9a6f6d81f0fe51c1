// roi_align_codes_avx512.cpp - backend cpu, level avx512: roi_align_codes.inl over SimdAvx512
#include "kernels/roi_align/roi_align_codes.inl"

namespace spinert {

extern const Kernel roi_align_codes_avx512;
const Kernel roi_align_codes_avx512 = {
    .rejects = roi_codes_rejects, .run = roi_codes_run<SimdAvx512>, .also_takes = kTakesU8};

}  // namespace spinert
