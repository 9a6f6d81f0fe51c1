// conv2d_igemm_amx_bf16.cpp - backend cpu, level amx_bf16: conv2d over bf16 activations in tiles
// Layout   x NHWC bf16, any C; weight packed as bf16 [panel of 32][tap][chunk of 32 channels][k / 2][32][k % 2];
//          y NHWC bf16 or f32
// Tile     32 rows x 32 columns as 2 x 2 tiles of 16 x 16 sums, 2 tiles of A, 2 of B: all eight
// Work     per tile and 32 of k: 4 products of 16 cycles, 4 tile loads; rows of a 1x1 layer of stride 1 straight from x
// Bound    TMUL rate: 77.3 GFLOP of fpn.0 (3x3, 256 -> 256, 256x256) at 1024 flop a cycle and core, 2 cores at 2.5 GHz
//          -> 15 ms (predicted, not measured)
// Measured not measured: no machine with AMX was at hand. AMX code counts as untested until it has run on a CPU with
//          AMX; here its instructions are carried out by a model (tests/support/amx_model.h)
// Rejects  groups != 1; activations other than bf16
// Numerics per 32 of k the even and the odd products are two fused chains in f32, added to each other and to the sum;
//          chunks in the order (tap, channel); denormals count as zero; same bytes for every thread count and batch
// Tried    nothing: without a machine every variant would be a guess. The packed weight is that of avx512_bf16
#include <algorithm>
#include <cstring>

#include "kernels/base/amx_tiles.h"
#include "kernels/base/igemm/igemm_amx.h"
#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_u8.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_amx.inl"
#include "kernels/base/igemm/igemm_row.inl"

using Engine = IgemmAmx<AmxTiles, SimdAvx512, AmxBf16<AmxTiles>>;

}  // namespace

extern const Kernel conv2d_igemm_32x32_amx_bf16;
const Kernel conv2d_igemm_32x32_amx_bf16 = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
