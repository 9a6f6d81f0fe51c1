// conv2d_winograd_f4_avx512.cpp - backend cpu, level avx512: 3x3 stride-1 convolution by Winograd F(4x4)
// Layout   x NHWC f32, C a multiple of 16; weight packed as [panel of 32][36 points][channel][32]; y NHWC f32
// Tile     14 tiles x 2 vectors of 16 per product; blocks of 14 tiles per thread stay in the second-level cache
// Work     36 products per 16 outputs instead of 144, plus two transforms per tile and channel
// Bound    ?
// Measured ?
// Rejects  see winograd_rejects: other kernels, strides, paddings; C < 32; more than 256 x 256 weights; overhang
// Numerics transforms in float, products one fused chain over channels; relative error about 2e-6; not exact on integers
// Tried    see docs/kernels.md, section winograd
#include <algorithm>

#include "kernels/base/igemm.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/winograd.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d/conv2d_winograd.inl"

constexpr int kTileRows = 14, kTileVectors = 2;
using Winograd = Conv2dWinograd<SimdAvx512, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_winograd_f4_14x32_avx512;
const Kernel conv2d_winograd_f4_14x32_avx512 = Winograd::kernel();

}  // namespace spinert
