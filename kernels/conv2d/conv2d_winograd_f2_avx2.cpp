// conv2d_winograd_f2_avx2.cpp - backend cpu, level avx2: 3x3 stride-1 convolution by Winograd F(2x2)
// Layout   x NHWC f32, C a multiple of 16; weight packed as [panel of 16][16 points][channel][16]; y NHWC f32
// Tile     6 tiles x 2 vectors of 8 per product; blocks of 24 tiles per thread stay in the second-level cache
// Work     16 products per 4 outputs instead of 36, plus two transforms per tile and channel
// Bound    FMA rate of the products, as for avx512
// Measured not on its own
// Rejects  see winograd_f2_rejects: what F(4x4) takes; other kernels, strides, paddings; C < 32; overhang
// Numerics transforms in float, products one fused chain over channels: another order than the direct sum, so integers
//          are held to the tolerance and not to exact sums
// Tried    nothing yet beyond the shape of the avx512 row
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
using Winograd = Conv2dWinograd<SimdAvx2, WinogradF2, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_winograd_f2_6x16_avx2;
const Kernel conv2d_winograd_f2_6x16_avx2 = Winograd::kernel();

}  // namespace spinert
