#include "kernels/base/igemm/igemm_cut.h"

#include <algorithm>

namespace spinert {

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

IgemmBlocking igemm_blocking(DType x, int64_t lines, int64_t tile_rows) {
  const auto tiles_of = [&](int64_t rows) { return std::max<int64_t>(1, rows / tile_rows); };
  switch (x) {
    case DType::u8:  // no split: 560 KB of codes, and one panel of B, stay inside a 1 MB second-level cache
      return {lines, std::min<int64_t>(16, tiles_of(560 * 1024 / kLineBytes / std::max<int64_t>(1, lines)))};
    case DType::bf16: {
      // 512 KB of rows. A long k goes in blocks of which a panel of B (32 KB) stays in the first-level cache.
      const int64_t step = lines <= 72 ? std::max<int64_t>(1, lines) : 16;
      return {step, tiles_of(512 * 1024 / kLineBytes / step)};
    }
    default:
      // 688 KB of rows, which with one panel of B stay inside a 1 MB second-level cache. From 512 lines on B comes from
      // memory, so more rows of fewer lines share one pass of it.
      return lines >= 512 ? IgemmBlocking{32, tiles_of(336)}
                          : IgemmBlocking{std::clamp<int64_t>(lines, 1, 96), tiles_of(112)};
  }
}

IgemmScratch igemm_scratch(const IgemmCall& p, int64_t tile_rows, int64_t panel) {
  const IgemmBlocking block = igemm_blocking(p.x.dtype, p.lines(), tile_rows);
  const int64_t rows = std::min(block.tiles, divide_up(p.rows(), tile_rows)) * tile_rows;
  const bool split = block.lines < p.lines();
  return {rows * block.lines * kLineBytes, split ? rows * divide_up(p.out_c, panel) * panel * 4 : 0};
}

}  // namespace spinert
