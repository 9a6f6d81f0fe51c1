// roi_align_codes_scalar.cpp - backend cpu, level scalar: roi_align_codes.inl over SimdScalar
#include "kernels/roi_align/roi_align_codes.inl"

namespace spinert {

extern const Kernel roi_align_codes_scalar;
const Kernel roi_align_codes_scalar = {
    .rejects = roi_codes_rejects, .run = roi_codes_run<SimdScalar>, .also_takes = kTakesU8};

}  // namespace spinert
