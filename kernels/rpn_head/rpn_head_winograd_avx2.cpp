// rpn_head_winograd_avx2.cpp - backend cpu, level avx2: the proposal head by Winograd F(4x4), heads in its epilogue
// Layout   maps NHWC f32 or bf16, C a multiple of 16; the 3x3 packed as in conv2d_winograd.inl; the heads gathered at
//          each run into [16 outputs][hidden channel][16], 16 KB for 3 anchors
// Tile     the 3x3: 6 tiles x 2 vectors; the heads: 4 pixels of a tile x 2 vectors of 8 outputs of both
// Work     the 3x3 by 36 products per 16 outputs, then 16 x K products per pixel where the network needs 15 x K
// Bound    FMA rate: 103 GFLOP of the 3x3 over five levels as 25.8 of Winograd's products, and 0.7 of the heads
// Measured 2-core Zen 5 VM, 2026-11-24, 256x256x256, one thread, smallest processor time of 6, beside other work:
//          223 ms; apart 236 (conv2d 218, heads 18), same bits
// Rejects  see winograd_f4_rejects for the largest map
// Numerics the 3x3 as conv2d by Winograd (relative error about 2e-6); a head is one fused chain, then its bias
// Tried    nothing else
#include <algorithm>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/rpn_head/rpn_head_cpu.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"
#include "kernels/conv2d/conv2d_winograd.inl"
#include "kernels/rpn_head/rpn_head_winograd.inl"

constexpr int kTileRows = 6, kTileVectors = 2, kHeadRows = 4, kHeadVectors = 2;
using Winograd = Conv2dWinograd<SimdAvx2, WinogradF4, kTileRows, kTileVectors>;
using RpnHead = RpnHeadWinograd<SimdAvx2, Winograd, kHeadRows, kHeadVectors>;

}  // namespace

extern const Kernel rpn_head_winograd_f4_6x16_avx2;
const Kernel rpn_head_winograd_f4_6x16_avx2 = RpnHead::kernel();

}  // namespace spinert
