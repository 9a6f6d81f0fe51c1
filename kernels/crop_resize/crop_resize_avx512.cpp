// crop_resize_avx512.cpp - backend cpu, level avx512: crop_resize.inl over SimdAvx512
// Layout   canvas f32 [1,S,T,1]; boxes f32 [B,4]; patches f32 [B*K,size,size,1]
// Tile     one output row: blend two canvas rows into a line (16 lanes), then two gathers of 16; threads over patches
// Work     per output 2 gathered loads, 3 operations; per source column and row 2 loads, 2 operations
// Bound    gathers, about one load per lane and cycle: 68 patches of 224x224 are 6.8 M loads; then 14 MB stored
// Measured 2 cores of a Xeon at 2.6 GHz (virtual machine, shared), 2 threads, 2026-11: 0.84 ms warm (alone), 1.7 warm
//          and 3.0 cold beside other work; over 10 x reference
//          spinert bench --op crop_resize --case "crop_resize s=1024 b=17"
// Rejects  nothing
// Numerics positions in double as in the reference, weights and sums in float, rows blended before columns
// Tried    one load per column instead of gathers (the scalar level): 1.6 x slower
#include "kernels/crop_resize/crop_resize.inl"

namespace spinert {

extern const Kernel crop_resize_avx512;
const Kernel crop_resize_avx512 = {.run = crop_resize_run<SimdAvx512>, .scratch_bytes = crop_scratch};

}  // namespace spinert
