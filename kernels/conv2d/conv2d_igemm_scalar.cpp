// conv2d_igemm_scalar.cpp - backend cpu, level scalar: conv2d as an implicit matrix product
#include <algorithm>

#include "kernels/base/igemm.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/base/igemm.inl"
#include "kernels/conv2d/conv2d_igemm.inl"

constexpr int kTileRows = 2, kTileVectors = 4;
using Tile = Igemm<SimdScalar, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_igemm_2x4_scalar;
const Kernel conv2d_igemm_2x4_scalar = Conv2dIgemm<Tile>::kernel();

}  // namespace spinert
