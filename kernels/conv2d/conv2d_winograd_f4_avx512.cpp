// conv2d_winograd_f4_avx512.cpp - backend cpu, level avx512: 3x3 stride-1 convolution by Winograd F(4x4)
// Layout   x NHWC f32, C a multiple of 16; weight packed as [panel of 32][36 points][channel][32]; y NHWC f32
// Tile     14 tiles x 2 vectors of 16 per product; blocks of 14 to 28 tiles per thread stay in the second-level cache
// Work     36 products per 16 outputs instead of 144, plus two transforms per tile and channel
// Bound    FMA rate of the products: 19.3 GFLOP of fpn.0 at 480 GFLOP/s -> 40 ms
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          79 ms = 51 % of the bound, 2.6 x conv2d_igemm; 64 -> 64 at 256x256: 4.8 ms, 3.4 x
//          2-core Zen 5 VM (531 GFLOP/s FMA roof), 2026-11-24, fpn.0, lowest decile of single blocks on a busy machine,
//          per core: products 37 ms (roof 36), input transform 2.6 to 3.9, output transform 1.8
// Rejects  see winograd_f4_rejects: other kernels, strides, paddings; C < 32; more than 256 x 256 weights; overhang
// Numerics transforms in float, products one fused chain over channels; relative error about 2e-6, so small integers
//          are not exact
// Tried    blocks of 28 and 56 tiles for 256 channels: 5 and 8 % slower on the Xeon, 7 and 14 % on the Zen 5, where v
//          leaves the second-level cache; all panels of a point before the next point: 3 % slower; panels of 48 (8x48):
//          same; fetching u 0, 8 or 32 rows ahead: same; fetching the next point of u: 6 % slower on the Xeon
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
using Winograd = Conv2dWinograd<SimdAvx512, WinogradF4, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_winograd_f4_14x32_avx512;
const Kernel conv2d_winograd_f4_14x32_avx512 = Winograd::kernel();

}  // namespace spinert
