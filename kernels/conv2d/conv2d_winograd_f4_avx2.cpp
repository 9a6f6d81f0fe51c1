// conv2d_winograd_f4_avx2.cpp - backend cpu, level avx2: 3x3 stride-1 convolution by Winograd F(4x4)
// Layout   x NHWC f32, C a multiple of 16; weight packed as [panel of 16][36 points][channel][16]; y NHWC f32
// Tile     6 tiles x 2 vectors of 8 per product; blocks of 12 to 24 tiles per thread stay in the second-level cache
// Work     36 products per 16 outputs instead of 144, plus two transforms per tile and channel
// Bound    FMA rate of the products: 19.3 GFLOP of fpn.0 at 260 GFLOP/s -> 74 ms
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          114 ms = 65 % of the bound, 3.1 x conv2d_igemm; 64 -> 64 at 256x256: 7.0 ms, 3.5 x
// Rejects  see winograd_f4_rejects: other kernels, strides, paddings; C < 32; more than 256 x 256 weights; overhang
// Numerics transforms in float, products one fused chain over channels; relative error about 2e-6, so small integers
//          are not exact
// Tried    blocks of 28 and 56 tiles: 5 and 8 % slower; fetching the next point of u ahead: 6 % slower
#include <algorithm>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/winograd.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d/conv2d_winograd.inl"

constexpr int kTileRows = 6, kTileVectors = 2;
using Winograd = Conv2dWinograd<SimdAvx2, WinogradF4, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_winograd_f4_6x16_avx2;
const Kernel conv2d_winograd_f4_6x16_avx2 = Winograd::kernel();

}  // namespace spinert
