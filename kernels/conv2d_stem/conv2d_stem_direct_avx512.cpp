// conv2d_stem_direct_avx512.cpp - backend cpu, level avx512: one-channel stem convolution
// Layout   grey f32 [N,H,W,1]; weight packed as [panel of 64][tap][64]; y NHWC f32
// Tile     6 pixels x 4 vectors of 16: 24 accumulators, 4 registers of weights, 1 broadcast
// Work     per tile and tap: 24 FMA, 4 vector loads, 6 broadcasts -> 12 cycles on two FMA ports
// Bound    5.1 ms of FMA and 6.0 ms of memory for 1024x1024 -> 512x512x64 (64 MB written)
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          5.1 ms warm, 6.0 ms cold: at the roof (spinert bench --op conv2d_stem --case "conv2d_stem h=1024")
// Rejects  nothing
// Numerics one fused chain per output in the order of the taps, then the border table, then the activation
// Tried    the three-channel convolution through conv2d_igemm: three times the work
#include <algorithm>

#include "kernels/base/simd.h"
#include "kernels/conv2d_stem/conv2d_stem.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d_stem/conv2d_stem.inl"

constexpr int kTilePixels = 6, kTileVectors = 4;
using Direct = Conv2dStemDirect<SimdAvx512, kTilePixels, kTileVectors>;

}  // namespace

extern const Kernel conv2d_stem_direct_6x64_avx512;
const Kernel conv2d_stem_direct_6x64_avx512 = Direct::kernel();

}  // namespace spinert
