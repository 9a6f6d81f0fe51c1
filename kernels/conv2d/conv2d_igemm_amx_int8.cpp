// conv2d_igemm_amx_int8.cpp - backend cpu, level amx_int8: conv2d over u8 codes in tiles
// Layout   x NHWC u8, any C; weight packed as s8 [panel of 32][tap][C / 4, padded to 16][32][4] with steps and sums,
//          the packed form of avx512_vnni; y NHWC u8 or f32
// Tile     32 rows x 32 columns as 2 x 2 tiles of 16 x 16 sums, 2 tiles of A, 2 of B: all eight
// Work     per tile and 64 of k: 4 products of 16 cycles, 4 tile loads; rows of a 1x1 layer of stride 1 straight from
//          x
// Bound    TMUL rate, 2048 op a cycle and core: 11.3 TOP/s measured from two cores -> 77.3 GOP of fpn.0 (3x3, 256 ->
//          256, 256x256) in 7 ms
// Measured 2-core Xeon VM (Emerald Rapids class), 2 threads, beside other work, so the least of three interleaved
//          runs, 2026-11-28: 1x1 1024 -> 256 on 8 x 14x14 0.22 ms (0.36 with an epilogue of its own instead of the one
//          of avx512_vnni)
// Rejects  activations other than u8; groups != 1; residual or output of another type than u8 and f32
// Numerics sums exact; then factor, bias, residual, each rounded, as kernels/base/quantise.h says; same bytes for
//          every thread count and batch
// Tried    see conv2d_igemm_amx_bf16.cpp
// Intrinsics: those of kernels/base/igemm/igemm_u8.inl.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/amx_tiles.h"
#include "kernels/base/igemm/igemm_amx.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_u8.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_amx.inl"
#include "kernels/base/igemm/igemm_row.inl"
#include "kernels/base/igemm/igemm_u8.inl"

static_assert(kAmxPanel == kIgemmU8Panel);
using Engine = IgemmU8<IgemmAmx<AmxTiles, U8Kind>>;

}  // namespace

extern const Kernel conv2d_igemm_32x32_amx_int8;
const Kernel conv2d_igemm_32x32_amx_int8 = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
