#include "kernels/base/igemm.h"

#include <algorithm>
#include <cstring>

namespace spinert {
namespace {

int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// row_part(row, column, count, to) writes that many columns of a row of the weight as floats.
template <class RowPart>
void pack_panels(int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, float* packed, ThreadPool& pool,
                 RowPart row_part) {
  const int64_t padded_c = divide_up(in_c, kIgemmChunk) * kIgemmChunk;
  const int64_t panels = divide_up(out_c, panel);
  // An item is one tap of one panel, so that even a weight with a single panel is packed by all threads.
  pool.run(panels * taps, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t p = item / taps, tap = item % taps, o = p * panel, used = std::min(panel, out_c - o);
      float* to = packed + (p * taps + tap) * padded_c * panel;
      for (int64_t c = 0; c < in_c; ++c, to += panel) {
        row_part(tap * in_c + c, o, used, to);
        std::fill(to + used, to + panel, 0.0f);
      }
      std::fill(to, to + (padded_c - in_c) * panel, 0.0f);
    }
  });
}

}  // namespace

int64_t igemm_packed_floats(int64_t taps, int64_t in_c, int64_t out_c, int64_t panel) {
  return divide_up(out_c, panel) * panel * taps * divide_up(in_c, kIgemmChunk) * kIgemmChunk;
}

void igemm_pack(const float* weight, int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, float* packed,
                ThreadPool& pool) {
  pack_panels(taps, in_c, out_c, panel, packed, pool, [&](int64_t row, int64_t column, int64_t count, float* to) {
    std::memcpy(to, weight + row * out_c + column, static_cast<size_t>(count) * sizeof(float));
  });
}

void igemm_pack_i8(const StoredI8& weight, int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, float* packed,
                   ThreadPool& pool) {
  pack_panels(taps, in_c, out_c, panel, packed, pool, [&](int64_t row, int64_t column, int64_t count, float* to) {
    const int8_t* values = weight.values + row * out_c + column;
    const float* scale = weight.scale + column;
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(values[i]) * scale[i];
  });
}

int64_t igemm_scratch_floats(int64_t tile_rows) {
  return std::max(divide_up(kIgemmBlockRows, tile_rows) * kIgemmBlockK,
                  divide_up(kIgemmLongRows, tile_rows) * kIgemmLongK) *
         tile_rows;
}

IgemmBlock IgemmShares::block(int64_t item, int64_t end, int64_t largest) const {
  const int64_t group = item / tiles, tile = item % tiles, left = std::min(end - item, tiles - tile);
  return {tile, divide_up(left, divide_up(left, largest)), group};
}

IgemmShares igemm_shares(int64_t rows, int64_t panels, int64_t tile_rows, int threads) {
  // Splitting panels makes every thread prepare the rows for itself; it pays where the longest share is longer than the
  // mean by more than this.
  constexpr double kMostUneven = 1.1;
  const IgemmShares whole{divide_up(rows, tile_rows), panels, 1};
  const double mean = double(whole.tiles) / threads;
  if (double(divide_up(whole.tiles, threads)) <= kMostUneven * mean) return whole;
  return {whole.tiles, panels, std::min<int64_t>(panels, threads)};
}

IgemmCut igemm_cut(int64_t rows, int64_t panels, int64_t tile_rows, int threads, int64_t largest_block) {
  const int64_t tiles = divide_up(rows, tile_rows);
  const int64_t largest = largest_block / tile_rows;  // tiles of a full block
  // A multiple of the thread count where there are enough tiles, so that all threads finish together.
  int64_t blocks = divide_up(divide_up(tiles, largest), threads) * threads;
  blocks = std::min(blocks, tiles);
  const int64_t block_tiles = divide_up(tiles, blocks);
  blocks = divide_up(tiles, block_tiles);
  const int64_t groups = blocks >= threads ? 1 : std::min(panels, divide_up(threads, blocks));
  return {block_tiles * tile_rows, blocks, groups};
}

}  // namespace spinert
