// linear_igemm_amx_bf16.cpp - backend cpu, level amx_bf16: linear over bf16 activations in tiles
// Layout   x NHWC bf16, any C; weight packed as bf16 [panel of 32][chunk of 32 k][k / 2][32][k % 2]; y NHWC bf16 or
//          f32
// Tile     32 rows x 32 columns as 2 x 2 tiles of 16 x 16 sums, 2 tiles of A, 2 of B: all eight
// Work     per tile and 32 of k: 4 products of 16 cycles, 4 tile loads; rows of a 1x1 layer of stride 1 straight from
//          x
// Bound    TMUL rate, 1024 flop a cycle and core: 5.7 TFLOP/s measured from two cores -> 25.7 GFLOP of head.fc6 (1000
//          x 12544 -> 1024) in 4.5 ms
// Measured 2-core Xeon VM (Emerald Rapids class), 2 threads, beside other work, so the least of three interleaved
//          runs, 2026-11-28: head.fc6 17.5 ms
// Rejects  activations other than bf16
// Numerics per 32 of k the even and the odd products are two fused chains in f32, added to each other and to the sum;
//          chunks in the order k; denormals count as zero; same bytes for every thread count and batch
// Tried    see conv2d_igemm_amx_bf16.cpp
#include <algorithm>
#include <cstring>

#include "kernels/base/amx_tiles.h"
#include "kernels/base/igemm/igemm_amx.h"
#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/simd.h"
#include "kernels/linear/linear_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_amx.inl"
#include "kernels/base/igemm/igemm_bf16.inl"
#include "kernels/base/igemm/igemm_row.inl"

template <class Kind>
using Body = IgemmAmx<AmxTiles, Kind>;
using Engine = IgemmBf16<kAmxPanel, Body>;

}  // namespace

extern const Kernel linear_igemm_32x32_amx_bf16;
const Kernel linear_igemm_32x32_amx_bf16 = IgemmRow<Engine, linear_igemm_call>::kernel();

}  // namespace spinert
