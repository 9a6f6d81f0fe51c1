// wgmma_tiles.h - which tile a product on wgmma gets (gemm_sm90a.cuh), and into how many segments its sum is cut: pure
// functions of shapes, as cuda_tiles.h has them for mma.sync.
//
// The order of a sum, hence the number of segments, follows from the shape of one image alone. Where segments are
// computed, side by side or one after the other in a block, follows from the capacity and the card and changes no byte.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/cuda_tiles.h"

namespace spinert::sm90a {

inline constexpr int kTileRows = 128;
inline constexpr int kChunk = 64;  // k of one step: 128 bytes, the width of the swizzle

struct GemmPlan {
  int tile_columns = 128;
  int segments = 1;  // from the shape of one image alone, so that every batch gives the same bytes
  bool side_by_side = false;
};

// Predicted time of a product in steps of a tile of 128 columns, about 0.3 us each. Assumed, not measured.
inline int64_t gemm_steps(int64_t tiles, int64_t chunks, int64_t segments, int64_t blocks) {
  constexpr int64_t kReduceSteps = 10;     // the second launch
  constexpr int64_t kPartialsPerStep = 8;  // tiles of partial sums that the card writes and reads in a step
  const int64_t rounds = (tiles * segments + blocks - 1) / blocks;
  const int64_t products = rounds * ((chunks + segments - 1) / segments);
  return segments == 1 ? products : products + kReduceSteps + tiles * segments / kPartialsPerStep;
}

inline GemmPlan gemm_plan(const GemmShape& shape, int multiprocessors) {
  constexpr int64_t kBlocks = 132;        // of the card for which sums are cut; another card cuts them alike
  constexpr int64_t kWideTiles = 96;      // so many tiles of 256 columns keep that card busy
  constexpr int64_t kSegmentChunks = 12;  // shorter segments would hold up large batches
  constexpr int64_t kMostSegments = 8;
  const int64_t chunks = shape.depth / kChunk;
  const auto row_tiles = [](int64_t rows) { return (rows + kTileRows - 1) / kTileRows; };
  if (shape.columns <= 64) return {.tile_columns = 64};
  if (shape.columns % 256 == 0 && row_tiles(shape.rows_of_one) * (shape.columns / 256) >= kWideTiles) {
    return {.tile_columns = 256};
  }
  const int64_t column_tiles = (shape.columns + 127) / 128;
  const int64_t of_one = row_tiles(shape.rows_of_one) * column_tiles;
  const auto of_one_in = [&](int64_t segments) { return gemm_steps(of_one, chunks, segments, kBlocks); };
  int64_t best = 1;
  for (int64_t segments = 2; segments <= std::min(chunks / kSegmentChunks, kMostSegments); ++segments) {
    if (of_one_in(segments) < of_one_in(best)) best = segments;
  }
  if (best == 1) return {};
  const int64_t tiles = row_tiles(shape.rows) * column_tiles;
  const bool side_by_side =
      gemm_steps(tiles, chunks, best, multiprocessors) < gemm_steps(tiles, chunks, 1, multiprocessors);
  return {.segments = static_cast<int>(best), .side_by_side = side_by_side};
}

inline int64_t partial_bytes(const GemmShape& shape, int multiprocessors) {
  const GemmPlan plan = gemm_plan(shape, multiprocessors);
  if (!plan.side_by_side) return 0;
  return plan.segments * shape.rows * shape.columns * static_cast<int64_t>(sizeof(float));
}

}  // namespace spinert::sm90a
