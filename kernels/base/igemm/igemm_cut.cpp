#include "kernels/base/igemm/igemm_cut.h"

#include <algorithm>

#include "kernels/base/igemm/igemm_call.h"

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
