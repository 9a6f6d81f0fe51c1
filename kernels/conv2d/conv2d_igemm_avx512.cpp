// conv2d_igemm_avx512.cpp - backend cpu, level avx512: conv2d as an implicit matrix product
// Layout   x NHWC f32, any C; weight packed as [panel of 32][tap][channel, padded to 16][32]; y NHWC f32
// Tile     14 rows x 2 vectors of 16: 28 accumulators, 2 registers of B, 1 broadcast of A; 31 of 32 registers
// Work     per tile and k: 28 FMA, 2 vector loads, 14 broadcasts -> 14 cycles on two FMA ports, loads hidden
// Bound    FMA rate: 77.3 GFLOP of fpn.0 (3x3, 256 -> 256, 256x256) at 480 GFLOP/s -> 161 ms
// Measured 2-core Xeon VM (480 GFLOP/s FMA roof avx512, 260 avx2), 2 threads, 2026-11-23:
//          204 ms = 79 % of the bound; 1x1 1024 -> 256, 8 x 14x14: 79 % (spinert bench --shapes
//          bench/shapes/detector.txt)
//          2-core Zen 5 VM (531 GFLOP/s FMA roof), one thread, processor time on a busy machine, 2026-11-24, before and
//          after reading x directly, rows first and half tiles: 256 -> 64 at 8 x 56x56 5.6 -> 5.0 ms; 64 -> 256 with
//          residual 8.5 -> 7.5; 128 -> 512 at 8 x 28x28 5.8 -> 5.2; 256 -> 12 at 256x256 10.1 -> 5.5
// Rejects  groups != 1
// Numerics one fused chain per output in the order (tap, channel); same bytes for every thread count and batch
// Tried    fetching residual and y at the start of a tile: 0 to 5 % slower; blocks of 336 x 512 for k = 2304:
//          5 % slower
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

constexpr int kTileRows = 14, kTileVectors = 2;
using Engine = IgemmF32<SimdAvx512, kTileRows, kTileVectors>;

}  // namespace

extern const Kernel conv2d_igemm_14x32_avx512;
const Kernel conv2d_igemm_14x32_avx512 = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
