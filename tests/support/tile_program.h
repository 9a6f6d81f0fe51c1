// tile_program.h - one product of three tiles of given sizes, by the processor or by the model: what
// tests/test_amx.cpp compares bit for bit.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/base/amx_tiles.h"

namespace spinert {

struct TileProgram {
  int rows = 16, columns = 16, k = 16;  // of c; k in groups of 4 bytes
  bool integers = false;
  // Rows of 64 bytes in memory, as tiles of that size are read and written; c beyond the tile is not touched.
  using Memory = std::array<uint32_t, 16 * 16>;
  Memory a{}, b{}, c{};

  TileConfig config() const {
    TileConfig config;
    config.palette = 1;
    const int row_bytes[] = {columns * 4, k * 4, columns * 4}, tile_rows[] = {rows, rows, k};
    for (int t = 0; t < 3; ++t) {
      config.row_bytes[t] = static_cast<uint16_t>(row_bytes[t]);
      config.rows[t] = static_cast<uint8_t>(tile_rows[t]);
    }
    return config;
  }
};

// c += a b, then once more, so that sums go through a store and a load.
template <class T>
void run_tile_program(TileProgram& p) {
  const TileConfig config = p.config();
  T::configure(config);
  for (int time = 0; time < 2; ++time) {
    T::template load<0>(p.c.data(), kTileRowBytes);
    T::template load<1>(p.a.data(), kTileRowBytes);
    T::template load<2>(p.b.data(), kTileRowBytes);
    if (p.integers) {
      T::template dot_u8s8<0, 1, 2>();
    } else {
      T::template dot_bf16<0, 1, 2>();
    }
    T::template store<0>(p.c.data(), kTileRowBytes);
  }
  T::release();
}

// By AmxTiles; the processor must have tiles, or an AmxTrap must live.
void run_tile_program_amx(TileProgram& program);

}  // namespace spinert
