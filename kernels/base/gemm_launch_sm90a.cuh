// gemm_launch_sm90a.cuh - the host side of gemm_sm90a.cuh: packing of weights, the choice of tile and segments,
// launches.
#pragma once

#include "kernels/base/cuda_tiles.h"
#include "kernels/base/gemm_sm90a.cuh"

namespace spinert::sm90a {

constexpr int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// ---- the weight [tap][k][column] in f32 becomes [tap][column][k] in halves; columns padded to 32, k to 64, with zeros

struct WeightShape {
  int64_t taps, k, columns;  // k: of one tap

  int64_t packed_k() const { return round_up(k, kChunk); }
  int64_t packed_columns() const { return round_up(columns, kColumnGroup); }
  int64_t depth() const { return taps * packed_k(); }
  int64_t bytes() const { return taps * packed_columns() * packed_k() * 2; }
};

// Where column o stands. Thread l of a warp holds columns 2 (l % 4) + {0, 1} of every eight of a product; in a group of
// 32 these become the neighbours 8 (l % 4) to 8 (l % 4) + 7.
constexpr int64_t packed_column(int64_t o) {
  return o / kColumnGroup * kColumnGroup + 8 * (o % 8 / 2) + 2 * (o % kColumnGroup / 8) + o % 2;
}

inline void pack_weight(const WeightShape& shape, DType type, const float* weight, void* packed, ThreadPool& pool) {
  uint16_t* const to = static_cast<uint16_t*>(packed);
  const int64_t columns = shape.packed_columns(), depth = shape.packed_k();
  pool.run(shape.taps * columns,
           [&](WorkRange range) { std::fill(to + range.begin * depth, to + range.end * depth, uint16_t{0}); });
  pool.run(shape.taps * shape.columns, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t tap = item / shape.columns, o = item % shape.columns;
      const float* const from = weight + tap * shape.k * shape.columns + o;
      uint16_t* const row = to + (tap * columns + packed_column(o)) * depth;
      for (int64_t k = 0; k < shape.k; ++k) {
        const float value = from[k * shape.columns];
        row[k] = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
      }
    }
  });
}

// ---- the choice

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

// ---- one product with one feature map

// What a caller fills in: params without tiles and partial sums, the map of a, and from where b comes.
struct GemmProblem {
  DType type;
  WeightShape weight;
  const void* packed;
  GemmShape shape;
  GemmParams<1> params;
};

inline int64_t partial_bytes(const GemmShape& shape, int multiprocessors) {
  const GemmPlan plan = gemm_plan(shape, multiprocessors);
  if (!plan.side_by_side) return 0;
  return plan.segments * shape.rows * shape.columns * static_cast<int64_t>(sizeof(float));
}

template <class T, int kTileColumns, bool kAdds>
void launch_tiles(const GemmProblem& problem, const Result<ptx::TensorMap>& a, const GemmPlan& plan,
                  const RunContext& context) {
  const WeightShape& weight = problem.weight;
  const auto b = make_tile_map({.dtype = problem.type,
                                .base = problem.packed,
                                .dims = {weight.packed_k(), weight.taps * weight.packed_columns()},
                                .strides = {weight.packed_k() * 2},
                                .box = {kChunk, kTileColumns},
                                .swizzle = ptx::Swizzle::bytes128});
  if (!a.ok()) return context.stream->fail(a.status());
  if (!b.ok()) return context.stream->fail(b.status());
  GemmParams<1> p = problem.params;
  const int64_t rows = problem.shape.rows;
  p.work.column_tiles = static_cast<int>((weight.columns + kTileColumns - 1) / kTileColumns);
  p.work.chunks = static_cast<int>(weight.depth() / kChunk);
  p.work.segments = plan.segments;
  p.work.side_by_side = plan.side_by_side;
  p.partial = plan.side_by_side ? static_cast<float*>(context.scratch) : nullptr;
  p.partial_rows = rows;
  p.chunks_per_tap = static_cast<int>(weight.packed_k() / kChunk);
  p.packed_columns = static_cast<int>(weight.packed_columns());
  const int64_t items =
      (rows + kTileRows - 1) / kTileRows * p.work.column_tiles * (plan.side_by_side ? plan.segments : 1);
  launch(context,
         {.grid_x = std::min<int64_t>(items, context.stream->card().multiprocessors),
          .block = kThreads,
          .shared = kRingBytes + kBarrierBytes},
         gemm_kernel<Tile<T, kTileColumns, kAdds>, 1>, GemmMaps<1>{{a.value()}, b.value()}, p);
  if (!p.partial) return;
  const int64_t eights = rows * (weight.columns / kEight);
  launch(context, {.grid_x = (eights + kReduceThreads - 1) / kReduceThreads, .block = kReduceThreads}, reduce_kernel<T>,
         p);
}

template <class T>
void launch_gemm(const GemmProblem& problem, const Result<ptx::TensorMap>& a, const RunContext& context) {
  const GemmPlan plan = gemm_plan(problem.shape, context.stream->card().multiprocessors);
  if (plan.segments > 1 && !plan.side_by_side) return launch_tiles<T, 128, true>(problem, a, plan, context);
  switch (plan.tile_columns) {
    case 64: return launch_tiles<T, 64, false>(problem, a, plan, context);
    case 256: return launch_tiles<T, 256, false>(problem, a, plan, context);
    default: return launch_tiles<T, 128, false>(problem, a, plan, context);
  }
}

}  // namespace spinert::sm90a
