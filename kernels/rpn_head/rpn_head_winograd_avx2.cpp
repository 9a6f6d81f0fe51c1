// rpn_head_winograd_avx2.cpp
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

constexpr int kTileRows = 6, kTileVectors = 2, kHeadRows = 4, kHeadVectors = 2;
using Winograd = Conv2dWinograd<SimdAvx2, kTileRows, kTileVectors>;
using RpnHead = RpnHeadWinograd<SimdAvx2, Winograd, kHeadRows, kHeadVectors>;

}  // namespace

extern const Kernel rpn_head_winograd_f4_6x16_avx2;
const Kernel rpn_head_winograd_f4_6x16_avx2 = RpnHead::kernel();

}  // namespace spinert
