// linear_igemm_scalar.cpp - backend cpu, level scalar: linear as an implicit matrix product
#include <algorithm>

#include "kernels/base/igemm.h"
#include "kernels/base/simd.h"
#include "kernels/linear/linear.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/base/igemm.inl"
#include "kernels/linear/linear_igemm.inl"

constexpr int kTileRows = 2, kTileVectors = 4;
using Tile = Igemm<SimdScalar, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel linear_igemm_2x4_scalar;
const Kernel linear_igemm_2x4_scalar = LinearIgemm<Tile>::kernel();

}  // namespace spinert
