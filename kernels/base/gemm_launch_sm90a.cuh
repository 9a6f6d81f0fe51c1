// gemm_launch_sm90a.cuh - the host side of gemm_sm90a.cuh: packing of weights, the choice of tile and segments,
// launches.
#pragma once

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
  int64_t chunks() const { return depth() / kChunk; }
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

// ---- one product with one feature map

// What a caller fills in: params without tiles and partial sums, the map of a, and from where b comes.
struct GemmProblem {
  DType type;
  WeightShape weight;
  const void* packed;
  GemmShape shape;
  GemmParams<1> params;
};

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
  p.work.chunks = static_cast<int>(weight.chunks());
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
