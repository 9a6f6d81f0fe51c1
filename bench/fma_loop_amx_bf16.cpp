// fma_loop_amx_bf16.cpp - products of tiles of bf16 (tdpbf16ps). Intrinsics, because no other way reaches tiles.
#include <immintrin.h>

#include "bench/fma_loop.h"

namespace spinert::bench {
namespace {

// What LDTILECFG reads: palette 1, then the bytes of a row and the rows of each of the eight tiles.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

}  // namespace

float fma_loop_amx_bf16(int64_t rounds) {
  TileConfig config;
  for (int t = 0; t < 8; ++t) {
    config.row_bytes[t] = kTileRowBytes;
    config.rows[t] = kTileRows;
  }
  _tile_loadconfig(&config);
  alignas(64) static constexpr uint8_t kOperand[kTileRows * kTileRowBytes] = {1};
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, kOperand, kTileRowBytes);
  _tile_loadd(5, kOperand, kTileRowBytes);
  _tile_loadd(6, kOperand, kTileRowBytes);
  _tile_loadd(7, kOperand, kTileRowBytes);
  for (int64_t i = 0; i < rounds; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  alignas(64) float sums[kTileRows * kTileRowBytes / 4];
  _tile_stored(0, sums, kTileRowBytes);
  _tile_release();
  return static_cast<float>(sums[0]);
}

}  // namespace spinert::bench
