// conv2d_winograd_f2_avx512.cpp - backend cpu, level avx512: 3x3 stride-1 convolution by Winograd F(2x2)
// Layout   x NHWC f32, C a multiple of 16; weight packed as [panel of 32][16 points][channel][32]; y NHWC f32
// Tile     14 tiles x 2 vectors of 16 per product; blocks of 28 tiles per thread stay in the second-level cache
// Work     16 products per 4 outputs instead of 36, plus two transforms per tile and channel
// Bound    FMA rate of the products: 2.15 GFLOP of 512 -> 512 at 32x32 at 265 GFLOP/s (one core) -> 8.1 ms
// Measured 2-core Zen 5 VM (531 GFLOP/s FMA roof), one thread, processor time on a busy machine, 2026-11-24:
//          512 -> 512 at 32x32 22.4 -> 11.7 ms against conv2d_igemm; 8 x 7x7 8.7 -> 5.6 ms
// Rejects  see winograd_f2_rejects: what F(4x4) takes; other kernels, strides, paddings; C < 32; overhang
// Numerics transforms in float, products one fused chain over channels: another order than the direct sum, so integers
//          are held to the tolerance and not to exact sums
// Tried    blocks of 14, 28, 56 tiles: 28 and 56 alike, 14 slower by 0 to 20 % on a busy machine
#include <algorithm>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/winograd.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d/conv2d_winograd.inl"

constexpr int kTileRows = 14, kTileVectors = 2;
using Winograd = Conv2dWinograd<SimdAvx512, WinogradF2, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_winograd_f2_14x32_avx512;
const Kernel conv2d_winograd_f2_14x32_avx512 = Winograd::kernel();

}  // namespace spinert
