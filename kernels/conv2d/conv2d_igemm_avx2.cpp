// conv2d_igemm_avx2.cpp - backend cpu, level avx2: conv2d as an implicit matrix product
// Layout   x NHWC f32, any C; weight packed as [panel of 16][tap][channel, padded to 16][16]; y NHWC f32
// Tile     6 rows x 2 vectors of 8: 12 accumulators, 2 registers of B, 1 broadcast of A; 15 of 16 registers
// Work     per tile and k: 12 FMA, 2 vector loads, 6 broadcasts -> 6 cycles on two FMA ports
// Bound    FMA rate: 77.3 GFLOP of fpn.0 (3x3, 256 -> 256, 256x256) at 260 GFLOP/s -> 297 ms
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          354 ms = 84 % of the bound (spinert bench --isa avx2 --shapes bench/shapes/detector.txt)
// Rejects  groups != 1
// Numerics one fused chain per output in the order (tap, channel); same bytes for every thread count and batch
// Tried    reading x directly instead of gathering: not tried; K blocks of 1536 keep the gathered block in L2
#include <algorithm>
#include <cstring>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_f32.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_f32.inl"
#include "kernels/base/igemm/igemm_row.inl"

constexpr int kTileRows = 6, kTileVectors = 2;
using Engine = IgemmF32<SimdAvx2, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_igemm_6x16_avx2;
const Kernel conv2d_igemm_6x16_avx2 = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
