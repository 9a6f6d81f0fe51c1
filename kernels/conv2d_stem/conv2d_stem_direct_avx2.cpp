// conv2d_stem_direct_avx2.cpp - backend cpu, level avx2: one-channel stem convolution
// Layout   grey f32 [N,H,W,1]; weight packed as [panel of 32][tap][32]; y NHWC f32
// Tile     3 pixels x 4 vectors of 8: 12 accumulators, 2 to 4 registers of weights (reloaded), 1 broadcast
// Work     per tile and tap: 12 FMA, 4 vector loads, 3 broadcasts -> 6 cycles on two FMA ports
// Bound    FMA rate: 1.64 GFLOP at 260 GFLOP/s -> 6.3 ms for 1024x1024 -> 512x512x64
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          8.7 ms = 72 % of the bound
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

constexpr int kTilePixels = 3, kTileVectors = 4;
using Direct = Conv2dStemDirect<SimdAvx2, kTilePixels, kTileVectors>;

}  // namespace

extern const Kernel conv2d_stem_direct_3x32_avx2;
const Kernel conv2d_stem_direct_3x32_avx2 = Direct::kernel();

}  // namespace spinert
