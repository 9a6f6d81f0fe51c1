// linear_igemm_avx512_bf16.cpp - backend cpu, level avx512_bf16: linear as an implicit matrix product over bf16
// Layout   x bf16 [R][K]; weight packed as [panel of 32][pair of k, padded to 16 pairs][32][2]; y bf16 or f32 [R][O]
// Tile     14 rows x 2 vectors of 16: 28 accumulators, 2 registers of B, 1 broadcast of a pair of A; 31 of 32 registers
// Work     per tile and pair of k: 28 vdpbf16ps, 2 vector loads, 14 broadcasts -> 14 cycles, loads hidden
// Bound    vdpbf16ps at twice the FMA rate, 1084 GFLOP/s: 25.7 GFLOP of head.fc6 (1000 x 12544 -> 1024) -> 24 ms
// Measured 2-core Zen 5 VM (544 GFLOP/s FMA roof), 2 threads, beside other work, so ratios of minima in one interleaved
//          run, 2026-11-24:
//          head.fc6 2.2 x linear_igemm_14x32_avx512. An idle machine has not been measured
// Rejects  activations that are not bf16
// Numerics weights rounded to bf16; float sums, one chain per output in the order of k; same bytes for every thread
//          count and batch. Products and sums below 2^-126 count as 0, as do such inputs
// Tried    nothing beyond conv2d_igemm
#include <algorithm>
#include <cstring>

#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/simd.h"
#include "kernels/linear/linear_igemm.h"

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

extern const Kernel linear_igemm_14x32_avx512_bf16;
const Kernel linear_igemm_14x32_avx512_bf16 = IgemmRow<Engine, linear_igemm_call>::kernel();

}  // namespace spinert
