// roi_align_avx2.cpp - backend cpu, level avx2: roi_align.inl over SimdAvx2
// Layout   rois f32 [R,4]; features NHWC f32, any C, any alignment; y f32 [R,P,P,C]
// Tile     one bin x 8 vectors of 8 channels in registers, at most 4 S^2 weighted pixels each; threads over regions
// Work     per output one FMA and one load for each distinct pixel: 4 to 16 at S = 2, 9 for most boxes of the detector
// Bound    memory: the pixels of 1000 boxes are 320 MB, region by region, of which the order leaves most in the second
//          cache, + 50 MB stored around the caches
// Measured 2-core Zen 5 VM, 2 threads, 2026-11-24, boxes of the detector, beside other work: 5.5 to 6.0 ms before the
//          merging of samples, 4.3 to 4.6 with it
//          spinert bench --op roi_align --case "roi_align r=1000 c=256 levels=4 h=256 canvas=1024"
// Rejects  nothing
// Numerics float sums; positions and level bit-equal to it; NaN regions give 0
// Tried    4 vectors per pass: 9 % slower; 2: 10 % slower
#include "kernels/roi_align/roi_align.inl"

namespace spinert {

extern const Kernel roi_align_avx2;
const Kernel roi_align_avx2 = {
    .run = roi_align_run<SimdAvx2>, .scratch_bytes = roi_align_order_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
