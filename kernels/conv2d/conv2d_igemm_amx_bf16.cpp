// conv2d_igemm_amx_bf16.cpp - backend cpu, level amx_bf16: conv2d over bf16 activations in tiles
// Layout   x NHWC bf16, any C; weight packed as bf16 [panel of 32][tap][chunk of 32 channels][k / 2][32][k % 2]; y
//          NHWC bf16 or f32
// Tile     32 rows x 32 columns as 2 x 2 tiles of 16 x 16 sums, 2 tiles of A, 2 of B: all eight
// Work     per tile and 32 of k: 4 products of 16 cycles, 4 tile loads; rows of a 1x1 layer of stride 1 straight from
//          x
// Bound    TMUL rate, 1024 flop a cycle and core: 5.7 TFLOP/s measured from two cores -> 77.3 GFLOP of fpn.0 (3x3, 256
//          -> 256, 256x256) in 14 ms
// Measured 2-core Xeon VM (Emerald Rapids class), 2 threads, beside other work, so the least of three interleaved
//          runs, 2026-11-28: fpn.0 41.3 ms (60.3 before rows were located once per tile), 3x3 64 -> 64 on 8 x 56x56
//          3.1 ms (4.5), 1x1 1024 -> 256 on 8 x 14x14 0.42 ms (0.66 with an epilogue that looked up every type per
//          vector)
// Rejects  groups != 1; activations other than bf16
// Numerics per 32 of k the even and the odd products are two fused chains in f32, added to each other and to the sum;
//          chunks in the order (tap, channel); denormals count as zero; same bytes for every thread count and batch
// Tried    12, 16 or 24 lines of k in one go, so that B stays in the first-level cache; the epilogue of a tile between
//          the lines of the next one; fetching the next block's rows ahead: each within the noise, so not kept. The
//          loop alone, on warm memory, runs at 60 to 75 % of the bound: loads of tiles from the second-level cache
#include <algorithm>
#include <cstring>

#include "kernels/base/amx_tiles.h"
#include "kernels/base/igemm/igemm_amx.h"
#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_amx.inl"
#include "kernels/base/igemm/igemm_bf16.inl"
#include "kernels/base/igemm/igemm_row.inl"

template <class Kind>
using Body = IgemmAmx<AmxTiles, Kind>;
using Engine = IgemmBf16<kAmxPanel, Body>;

}  // namespace

extern const Kernel conv2d_igemm_32x32_amx_bf16;
const Kernel conv2d_igemm_32x32_amx_bf16 = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
