// conv2d_igemm_avx512_bf16.cpp - backend cpu, level avx512_bf16: conv2d as an implicit matrix product over bf16
// Layout   x NHWC bf16, any C; weight packed as [panel of 32][tap][pair of channels, padded to 16 pairs][32][2]; y NHWC
//          bf16 or f32
// Tile     14 rows x 2 vectors of 16: 28 accumulators, 2 registers of B, 1 broadcast of a pair of A; 31 of 32 registers
// Work     per tile and pair of channels: 28 vdpbf16ps, 2 vector loads, 14 broadcasts -> 14 cycles, loads hidden
// Bound    vdpbf16ps at twice the FMA rate: 1084 GFLOP/s of 544, from a loop of 24 independent sums
// Measured 2-core Zen 5 VM (544 GFLOP/s FMA roof), 2 threads, beside other work, so ratios of minima in one interleaved
//          run, 2026-11-24:
//          1x1 1024 -> 256, 8 x 14x14: 2.9 x conv2d_igemm_14x32_avx512; 1x1 64 -> 256, 8 x 56x56: 3.8 x; 3x3 stride 2
//          256 -> 256, 8 x 28x28: 2.7 x; 3x3 512 -> 512, 8 x 7x7: 2.6 x. An idle machine has not been measured
// Rejects  activations that are not bf16; groups != 1
// Numerics weights rounded to bf16; float sums, one chain per output over the pairs in the order (tap, channel); same
//          bytes for every thread count and batch. Products and sums below 2^-126 count as 0, as do such inputs
// Tried    3x3 256 -> 256 on 256x256 directly, 0.7 x the speed of Winograd in float: Winograd stands first
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
