// conv2d_stem_direct_scalar.cpp - backend cpu, level scalar: one-channel stem convolution
#include <algorithm>

#include "kernels/base/simd.h"
#include "kernels/conv2d_stem/conv2d_stem.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d_stem/conv2d_stem.inl"

constexpr int kTilePixels = 2, kTileVectors = 4;
using Direct = Conv2dStemDirect<SimdScalar, kTilePixels, kTileVectors>;

}  // namespace

extern const Kernel conv2d_stem_direct_2x4_scalar;
const Kernel conv2d_stem_direct_2x4_scalar = Direct::kernel();

}  // namespace spinert
