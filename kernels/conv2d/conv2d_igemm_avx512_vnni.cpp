// conv2d_igemm_avx512_vnni.cpp - backend cpu, level avx512_vnni: conv2d of u8 codes as an implicit matrix product
// Layout   x NHWC u8, any C; weight packed as s8 [panel of 32][tap][C / 4, padded to 16][32][4]; y NHWC u8 or f32
// Tile     14 rows x 2 vectors of 16 sums: 28 accumulators, 2 registers of B, 1 broadcast of A; 31 of 32 registers
// Work     per tile and 4 k: 28 vpdpbusd, 2 vector loads, 14 broadcasts -> 14 cycles on two ports, loads hidden
// Bound    vpdpbusd rate: 77.3 GOP of fpn.0 (3x3, 256 -> 256, 256x256) at four times the FMA rate (2190 GOP/s) -> 35 ms
// Measured 2-core Zen 5 VM beside other work (78 GFLOP/s FMA roof in that run), 2 threads, 2026-11-24: fpn.0 3.2 times
//          the FMA roof, 1x1 1024 -> 256 on 8 x 14x14 2.1 times; not yet on a quiet machine
// Rejects  groups != 1, residual or output of another type than u8 and f32
// Numerics sums exact; one multiply-add, rounded, per output and one more for the residual; same bytes for every thread
//          count and batch
// Tried    the intrinsic instead of the instruction: gcc 12 copies every accumulator, 0.4 of the rate; masked stores of
//          whole vectors of bytes: 1x1 64 -> 256 ran at half of the FMA roof
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_u8.h"
#include "kernels/conv2d/conv2d_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_row.inl"
#include "kernels/base/igemm/igemm_u8.inl"
#include "kernels/base/igemm/igemm_vectors.inl"

constexpr int kTileRows = 14, kTileVectors = kIgemmU8Panel / U8Kind::kLanes;
using Engine = IgemmU8<IgemmVectors<U8Kind, kTileRows, kTileVectors>>;

}  // namespace

extern const Kernel conv2d_igemm_14x32_avx512_vnni;
const Kernel conv2d_igemm_14x32_avx512_vnni = IgemmRow<Engine, conv2d_igemm_call>::kernel();

}  // namespace spinert
