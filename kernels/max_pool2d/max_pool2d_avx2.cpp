// max_pool2d_avx2.cpp - backend cpu, level avx2: max_pool2d.inl over SimdAvx2
// Layout   x NHWC f32, any C, any alignment; y NHWC f32
// Tile     one output pixel x 4 vectors of 8 channels in registers; threads over output rows
// Work     per output kernel^2 loads and maxima (max, compare, blend for NaN)
// Bound    memory: 512x512x64 reads 67 MB and writes 17 MB once; 9 loads per output hit the caches
// Measured 2 cores of a Xeon at 2.6 GHz (virtual machine, shared), 2 threads, 2026-11: 1.7 ms warm (alone), 7.4 cold;
//          46 x reference
//          spinert bench --op max_pool2d --case "max_pool2d h=512 c=64"
// Rejects  nothing
// Numerics exact; a window with a NaN gives NaN
// Tried    2 vectors per pass: 3 % slower; 8: 7 % faster at C = 64, but narrower maps would take the masked path
#include "kernels/max_pool2d/max_pool2d.inl"

namespace spinert {

extern const Kernel max_pool2d_avx2;
const Kernel max_pool2d_avx2 = {.run = max_pool2d_run<SimdAvx2>, .also_takes = kTakesBf16};

}  // namespace spinert
