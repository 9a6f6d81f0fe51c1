// conv2d_igemm_scalar.cpp - backend cpu, level scalar: conv2d as an implicit matrix product
#include <algorithm>
#include <cstring>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_f32.inl"
#include "kernels/base/igemm/igemm_row.inl"

constexpr int kTileRows = 2, kTileVectors = 4;
using Engine = IgemmF32<SimdScalar, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_igemm_2x4_scalar;
const Kernel conv2d_igemm_2x4_scalar = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
