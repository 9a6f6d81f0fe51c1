// conv2d_igemm_avx512_bf16.cpp - backend cpu, level avx512_bf16: conv2d as an implicit matrix product over bf16
// Layout   x NHWC bf16, any C; weight packed as [panel of 32][tap][pair of channels, padded to 16 pairs][32][2]; y NHWC
//          bf16 or f32
// Tile     14 rows x 2 vectors of 16: 28 accumulators, 2 registers of B, 1 broadcast of a pair of A; 31 of 32 registers
// Work     per tile and pair of channels: 28 vdpbf16ps, 2 vector loads, 14 broadcasts -> 14 cycles, loads hidden
// Bound    vdpbf16ps at twice the FMA rate: 1084 GFLOP/s of 544, from a loop of 24 independent sums
// Measured 2-core Zen 5 VM (544 GFLOP/s FMA roof, 1084 bf16), 2 threads, 2026-11-24, two of three interleaved rounds on
//          the 41 such layers of ResNet50, 8 patches: 51.7, 50.9 ms = 834, 848 GFLOP/s = 77 % of the bound; in float by
//          conv2d_igemm_14x32_avx512 110.7, 119.3 ms (spinert bench --stage classifier --patches 8 --precision mixed)
// Rejects  activations that are not bf16; groups != 1
// Numerics weights rounded to bf16; float sums, one chain per output over the pairs in the order (tap, channel); same
//          bytes for every thread count and batch. Products and sums below 2^-126 count as 0, as do such inputs
// Tried    3x3 256 -> 256 on 256x256 directly, 0.7 x the speed of Winograd in float: Winograd stands first
#include <algorithm>
#include <cstring>

#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_bf16.inl"
#include "kernels/base/igemm/igemm_row.inl"
#include "kernels/base/igemm/igemm_vectors.inl"

constexpr int kTileRows = 14, kTileVectors = 2;
template <class Kind>
using Body = IgemmVectors<Kind, kTileRows, kTileVectors>;
using Engine = IgemmBf16<kTileVectors * 16, Body>;

}  // namespace

extern const Kernel conv2d_igemm_14x32_avx512_bf16;
const Kernel conv2d_igemm_14x32_avx512_bf16 = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
