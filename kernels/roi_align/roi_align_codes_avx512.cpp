// roi_align_codes_avx512.cpp - backend cpu, level avx512: roi_align of maps of u8 codes
// Layout   maps NHWC u8, each with its own scale and zero; regions f32 [rows][4]; y [rows][bins][bins][C] u8
// Tile     16 channels of one bin
// Work     per bin and 16 channels: 4 taps of each sample as one fused multiply-add; codes become floats when loaded
// Bound    bytes of the taps from the caches: a quarter of those of f32
// Measured not on an idle machine
// Rejects  see roi_codes_rejects
// Numerics sums in float; a code differs from the reference's where rounding lies at half a step, by one
// Tried    nothing else so far; int8 is not a documented choice (docs/PERFORMANCE.md)
#include "kernels/roi_align/roi_align_codes.inl"

namespace spinert {

extern const Kernel roi_align_codes_avx512;
const Kernel roi_align_codes_avx512 = {
    .rejects = roi_codes_rejects, .run = roi_codes_run<SimdAvx512>, .also_takes = kTakesU8};

}  // namespace spinert
