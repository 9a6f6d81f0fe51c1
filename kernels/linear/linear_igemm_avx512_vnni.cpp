// linear_igemm_avx512_vnni.cpp - backend cpu, level avx512_vnni: linear of u8 codes as the implicit matrix product of
// 1x1 images
// Layout   x u8 [R][K]; weight packed as s8 [panel of 32][K / 4, padded to 16][32][4]; y u8 or f32 [R][O]
// Tile     14 rows x 2 vectors of 16 sums, as conv2d_igemm_avx512_vnni.cpp
// Work     per tile and 4 k: 28 vpdpbusd, 2 vector loads, 14 broadcasts
// Bound    vpdpbusd rate: 25.7 GOP of fc6 (1000 rows, 12544 -> 1024) at four times the FMA rate (2190 GOP/s) -> 12 ms
// Measured not alone yet; the tile is that of conv2d_igemm_avx512_vnni.cpp
// Rejects  output of another type than u8 and f32
// Numerics sums exact; one rounded multiply-add per output; same bytes for every thread count and batch
// Tried    see conv2d_igemm_avx512_vnni.cpp
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/igemm/igemm_u8.h"
#include "kernels/linear/linear_igemm.h"

namespace spinert {
namespace {

#include "kernels/base/igemm/igemm_row.inl"
#include "kernels/base/igemm/igemm_u8.inl"
#include "kernels/base/igemm/igemm_vectors.inl"

constexpr int kTileRows = 14, kTileVectors = kIgemmU8Panel / U8Kind::kLanes;
using Engine = IgemmU8<IgemmVectors<U8Kind, kTileRows, kTileVectors>>;

}  // namespace

extern const Kernel linear_igemm_14x32_avx512_vnni;
const Kernel linear_igemm_14x32_avx512_vnni = IgemmRow<Engine, linear_igemm_call>::kernel();

}  // namespace spinert
