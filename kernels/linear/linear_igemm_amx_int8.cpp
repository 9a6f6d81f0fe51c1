// linear_igemm_amx_int8.cpp - backend cpu, level amx_int8: linear over u8 codes in tiles
// Layout   x NHWC u8, any C; weight packed as s8 [panel of 32][K / 4, padded to 16][32][4] with steps and sums, the
// packed form of
//          avx512_vnni; y NHWC u8 or f32
// Tile     32 rows x 32 columns as 2 x 2 tiles of 16 x 16 sums, 2 tiles of A, 2 of B: all eight
// Work     per tile and 64 of k: 4 products of 16 cycles, 4 tile loads; rows of a 1x1 layer of stride 1 straight from x
// Bound    TMUL rate: 25.7 GOP of head.fc6 (1000 x 12544 -> 1024) at 2048 op a cycle and core, 2 cores at 2.5 GHz -> 3
// ms
//          (predicted, not measured)
// Measured not measured: no machine with AMX was at hand. AMX code counts as untested until it has run on a CPU with
//          AMX; here its instructions are carried out by a model (tests/support/amx_model.h)
// Rejects  activations other than u8; an output of another type than u8 and f32
// Numerics sums exact; then factor, bias, residual, each rounded, as kernels/base/quantise.h says; same bytes for every
//          thread count and batch
// Tried    nothing: without a machine every variant would be a guess
//
// Intrinsics: those of kernels/base/igemm/igemm_u8.inl, for its packing alone.
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/amx_tiles.h"
#include "kernels/base/igemm/igemm_amx.h"
#include "kernels/base/igemm/igemm_bf16.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_u8.h"
#include "kernels/base/simd.h"
#include "kernels/linear/linear_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_amx.inl"
#include "kernels/base/igemm/igemm_row.inl"
#include "kernels/base/igemm/igemm_u8.inl"

using Engine = IgemmAmx<AmxTiles, SimdAvx512, AmxU8<AmxTiles, IgemmU8>>;

}  // namespace

extern const Kernel linear_igemm_32x32_amx_int8;
const Kernel linear_igemm_32x32_amx_int8 = IgemmRow<Engine, linear_igemm_call>::kernel();

}  // namespace spinert
