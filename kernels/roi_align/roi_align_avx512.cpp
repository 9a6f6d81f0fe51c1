// roi_align_avx512.cpp - backend cpu, level avx512: roi_align.inl over SimdAvx512
// Layout   rois f32 [R,4]; features NHWC f32, any C, any alignment; y f32 [R,P,P,C]
// Tile     one bin x 4 vectors of 16 channels in registers, at most 4 S^2 weighted pixels each; threads over regions
// Work     per output one FMA and one load for each distinct pixel: 4 to 16 at S = 2, 9 for most boxes of the detector
// Bound    memory: the pixels of 1000 boxes are 320 MB, region by region, of which the order leaves most in the second
//          cache, + 50 MB stored around the caches
// Measured 2-core Zen 5 VM (410 GFLOP/s FMA roof), 2 threads, 2026-11-24, inside the detector beside other work, three
//          interleaved rounds: 5.27, 5.24, 5.35 ms before (16 terms, order of the boxes), 3.69, 3.64, 3.73 after
//          spinert bench --stage detector; alone: --case "roi_align r=1000 c=256 levels=4 h=256 canvas=1024"
// Rejects  nothing
// Numerics float sums; positions and level bit-equal to it; NaN regions give 0
// Tried    256 channels per pass: 15 % slower; 128: no change; order by columns inside rows of 32 pixels: no change;
//          the order alone, stores through the caches: 1.15 x slower; stores around them without the order: 1.2 x
#include "kernels/roi_align/roi_align.inl"

namespace spinert {

extern const Kernel roi_align_avx512;
const Kernel roi_align_avx512 = {
    .run = roi_align_run<SimdAvx512>, .scratch_bytes = roi_align_order_bytes, .also_takes = kTakesBf16};

}  // namespace spinert
