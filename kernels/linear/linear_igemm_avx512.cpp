// linear_igemm_avx512.cpp - backend cpu, level avx512: linear as an implicit matrix product
// Layout   x NHWC f32, any C; weight packed as [panel of 32][tap][channel, padded to 16][32]; y NHWC f32
// Tile     14 rows x 2 vectors of 16: 28 accumulators, 2 registers of B, 1 broadcast of A; 31 of 32 registers
// Work     per tile and k: 28 FMA, 2 vector loads, 14 broadcasts -> 14 cycles on two FMA ports, loads hidden
// Bound    FMA rate: 25.7 GFLOP of head.fc6 (1000 x 12544 -> 1024) at 480 GFLOP/s -> 54 ms
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          87 ms = 62 % of the bound; the weight (51 MB) comes from memory once per row block
// Rejects  nothing
// Numerics one fused chain per output in the order (tap, channel); same bytes for every thread count and batch
// Tried    nothing beyond conv2d_igemm
#include <algorithm>
#include <cstring>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/base/simd.h"
#include "kernels/linear/linear_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_f32.inl"
#include "kernels/base/igemm/igemm_row.inl"

constexpr int kTileRows = 14, kTileVectors = 2;
using Engine = IgemmF32<SimdAvx512, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel linear_igemm_14x32_avx512;
const Kernel linear_igemm_14x32_avx512 = IgemmRow<Engine, linear_igemm_call>::kernel();

}  // namespace spinert
