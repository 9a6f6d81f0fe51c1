// conv2d_igemm_avx512_bf16.cpp - backend cpu, level avx512_bf16: conv2d as an implicit matrix product over bf16
#include <algorithm>
#include <cstring>

#include "kernels/base/igemm_bf16.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/base/igemm_bf16.inl"
#include "kernels/conv2d/conv2d_igemm_bf16.inl"

constexpr int kTileRows = 14, kTileVectors = 2;
using Tile = IgemmBf16<kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_igemm_14x32_avx512_bf16;
const Kernel conv2d_igemm_14x32_avx512_bf16 = Conv2dIgemmBf16<Tile>::kernel();

}  // namespace spinert
