// rpn_head_winograd_avx512.cpp
#include <algorithm>

#include "kernels/base/igemm.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/rpn_head/rpn_head_cpu.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d/conv2d_winograd.inl"
#include "kernels/rpn_head/rpn_head_winograd.inl"

constexpr int kTileRows = 14, kTileVectors = 2, kHeadRows = 16, kHeadVectors = 1;
using Winograd = Conv2dWinograd<SimdAvx512, kTileRows, kTileVectors>;
using RpnHead = RpnHeadWinograd<SimdAvx512, Winograd, kHeadRows, kHeadVectors>;

}  // namespace

extern const Kernel rpn_head_winograd_f4_14x32_avx512;
const Kernel rpn_head_winograd_f4_14x32_avx512 = RpnHead::kernel();

}  // namespace spinert
