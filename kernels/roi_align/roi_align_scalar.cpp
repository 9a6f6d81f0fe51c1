// roi_align_scalar.cpp - backend cpu, level scalar: roi_align.inl over SimdScalar.
#include "kernels/roi_align/roi_align.inl"

namespace spinert {

extern const Kernel roi_align_scalar;
const Kernel roi_align_scalar = {
    .run = roi_align_run<SimdScalar>, .scratch_bytes = roi_align_order_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
