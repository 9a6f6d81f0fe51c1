// roi_align_avx512.cpp - backend cpu, level avx512: roi_align.inl over SimdAvx512
// Layout   rois f32 [R,4]; features NHWC f32, any C, any alignment; y f32 [R,P,P,C]
// Tile     one bin x 4 vectors of 16 channels in registers, 4 S^2 weighted pixels each; threads over regions
// Work     per output 4 S^2 FMA and as many loads: 1 load per FMA
// Bound    loads: 1000 x 7x7x256 at S = 2 is 201 M FMA and 803 MB of loads, mostly from the second cache, + 50 MB
//          stored
// Measured 2 cores of a Xeon at 2.6 GHz (virtual machine, shared), 2 threads, 2026-11: 4.2 ms warm (alone), 10.5 warm
//          and 12.9 cold beside other work; 19 x reference
//          spinert bench --op roi_align --case "roi_align r=1000 c=256 levels=4 h=256 canvas=1024"
// Rejects  nothing
// Numerics float sums, samples in the order of the reference; positions and level bit-equal to it; NaN regions give 0
// Tried    2 vectors per pass: 10 % slower; 8: no change
#include "kernels/roi_align/roi_align.inl"

namespace spinert {

extern const Kernel roi_align_avx512;
const Kernel roi_align_avx512 = {.run = roi_align_run<SimdAvx512>};

}  // namespace spinert
