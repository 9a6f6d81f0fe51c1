// gemm_tiles_sm90a.cuh - which tile of a matrix product a block works on next: rows of one or several feature maps
// ("levels") that share one weight, cut into tiles of 128 rows. A persistent block walks items in strides of the grid.
//
// Row r of a level is pixel r % pixels of image r / pixels; a plain matrix has one pixel an image. Images beyond the
// count have no tiles. Items run columns first, so that blocks at work together share rows of the larger operand in the
// second-level cache.
//
// A sum is one chain over k or, cut into segments, several that are added in order. Segments are items of their own
// (side by side) or follow one another in one item; the order of the sum is the same.
#pragma once

#include "kernels/base/cuda.cuh"
#include "kernels/base/wgmma_tiles.h"

namespace spinert::sm90a {

// Host side: the whole work. One level has int rows; kMaxElements bounds them.
template <int kLevels>
struct GemmWork {
  DeviceRows images;
  int pixels[kLevels];  // output pixels of one image
  int column_tiles;
  int chunks;    // steps of the sum
  int segments;  // of the sum, at most chunks
  bool side_by_side;

  __device__ int segment_begin(int segment) const { return chunks * segment / segments; }
};

struct GemmItem {
  int level, row, column;  // first row in the level; column in tiles
  int first_segment, end_segment;
  int first_chunk, end_chunk;

  __device__ int chunks() const { return end_chunk - first_chunk; }
};

// Device side: the work at the count of this run.
template <int kLevels>
class GemmWalk {
 public:
  __device__ explicit GemmWalk(const GemmWork<kLevels>& work) : work_(work) {
    const int images = static_cast<int>(work.images.get());
    int tiles = 0;
#pragma unroll
    for (int level = 0; level < kLevels; ++level) {
      rows_[level] = images * work.pixels[level];
      tiles += row_tiles(rows_[level]);
    }
    items_ = tiles * work.column_tiles * items_of_a_tile();
  }

  __device__ int items() const {
    return items_;
  }
  __device__ int rows(int level) const {
    int result = rows_[0];
#pragma unroll
    for (int i = 1; i < kLevels; ++i) result = i == level ? rows_[i] : result;
    return result;
  }
  __device__ GemmItem at(int index) const {
    const int of_tile = items_of_a_tile(), tile = index / of_tile, first = index % of_tile;
    const int end = work_.side_by_side ? first + 1 : work_.segments;
    int row_tile = tile / work_.column_tiles, level = 0;
#pragma unroll
    for (int i = 0; i + 1 < kLevels; ++i) {
      if (level == i && row_tile >= row_tiles(rows_[i])) {
        row_tile -= row_tiles(rows_[i]);
        level = i + 1;
      }
    }
    return {level, row_tile * kTileRows,       tile % work_.column_tiles, first,
            end,   work_.segment_begin(first), work_.segment_begin(end)};
  }

 private:
  __device__ int items_of_a_tile() const {
    return work_.side_by_side ? work_.segments : 1;
  }
  static __device__ int row_tiles(int rows) {
    return (rows + kTileRows - 1) / kTileRows;
  }

  const GemmWork<kLevels>& work_;
  int rows_[kLevels];
  int items_;
};

}  // namespace spinert::sm90a
