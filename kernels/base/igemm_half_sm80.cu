// igemm_half_sm80.cu - the engine of conv2d and linear for f16 and bf16 on mma.sync: tiles over the rows of images
// Layout   x NHWC, C % 8 == 0; weight packed as [step of 32 k][column][32] (igemm_half_pack); y and residual NHWC
// Tile     128x128 (8 warps of 64x32), 128x64 (4 warps of 64x32) or 64x64 (4 warps of 32x32), 32 k a step, 4 stages
// Work     a step of 128x128 is 256 mma of 2048 multiply-adds, 16 KB loaded, 48 KB read back by ldmatrix
// Bound    the larger of flops at 790 TFLOP/s and unfused bytes at 4.3 TB/s (H200): fpn.0 (3x3, 256 -> 256, 256x256)
//          77.3 GFLOP 98 us, tensor cores; fpn.lateral.0 75.5 MB 17.6 us, memory
// Measured not yet: no card was available; choose_tile predicts for fpn.0 on 132 multiprocessors 301,000 clocks, 95 %
//          of the rate that it assumes for mma.sync (1024 multiply-adds per clock and multiprocessor)
// Rejects  nothing of its own; its callers reject C % 8 != 0, groups, f32
// Numerics f32 sums, one chain per segment of k in steps of 16, segments added in order; segments follow the shape of
//          one image and the card (cuda_tiles.h): same bytes for every batch and count
// Tried    nothing else yet
#include "kernels/base/cuda_tiles.h"
#include "kernels/base/image_rows.cuh"

namespace spinert {
namespace {

struct Arguments {
  ImageGeometry image;
  CardEpilogue epilogue;
  DeviceRows rows;
  int64_t pixels;  // of one image
  const void* x;
  const void* packed;
  int column_tiles;
  int steps, block_steps;    // of the whole sum, of one block
  int segment_steps;         // where segments follow each other in one block, else 0
  float* partial = nullptr;  // [segment][row][column] where they run side by side
  int64_t partial_stride;    // of one segment
};

// One segment's sums, for reduce_kernel.
__device__ __forceinline__ void store_partial(float* partial, int columns, int64_t row, int column,
                                              const float (&sum)[8]) {
  float* to = partial + row * columns + column;
  if (columns % 8 == 0) {
    store_8(to, sum);
    return;
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    if (column + i < columns) to[i] = sum[i];
  }
}

// Neighbouring blocks share their rows of A and find them in the second-level cache: column tiles run fastest.
template <class T, class Tile>
__global__ void __launch_bounds__(Tile::kThreads) igemm_kernel(Arguments p) {
  ptx::grid_dependency_wait();
  const int64_t rows = p.rows.get() * p.pixels;
  const int64_t first_row = int64_t{blockIdx.x} / p.column_tiles * Tile::kRows;
  const int first_column = static_cast<int>(blockIdx.x) % p.column_tiles * Tile::kColumns;
  if (first_row >= rows) return;
  const int first_step = static_cast<int>(blockIdx.y) * p.block_steps;

  unsigned char* shared = dynamic_shared();
  ImageRows<T, Tile> a(p.image, p.x, first_row, rows, first_step);
  GemmWeights<Tile> b(p.packed, p.epilogue.columns, first_column, first_step);
  Tile tile;
  gemm_accumulate<T>(tile, a, b, min(p.block_steps, p.steps - first_step), shared,
                     {reinterpret_cast<float*>(shared + Tile::kPipelineBytes), p.segment_steps});
  ptx::grid_dependency_launch();

  gemm_store(tile, shared, [&](int row, int column, float(&sum)[8]) {
    const int64_t to_row = first_row + row;
    const int to_column = first_column + column;
    if (to_row >= rows || to_column >= p.epilogue.columns) return;
    if (p.partial) {
      store_partial(p.partial + blockIdx.y * p.partial_stride, p.epilogue.columns, to_row, to_column, sum);
    } else {
      finish_8<T>(p.epilogue, to_row, to_column, sum);
    }
  });
}

constexpr int kReduceThreads = 256;

// Adds the partial sums of eight columns in the order of their segments.
template <class T>
__global__ void __launch_bounds__(kReduceThreads) reduce_kernel(Arguments p, int segments) {
  ptx::grid_dependency_wait();
  // Partial sums are kept below kMostPartialBytes: octets are counted in 32 bits.
  const uint32_t octets = static_cast<uint32_t>(p.epilogue.columns + 7) / 8;
  const uint32_t item = blockIdx.x * kReduceThreads + threadIdx.x, row = item / octets;
  const int column = static_cast<int>(item - row * octets) * 8;
  if (row >= p.rows.get() * p.pixels) return;
  float sum[8];
  for (int segment = 0; segment < segments; ++segment) {
    const float* from = p.partial + segment * p.partial_stride + int64_t{row} * p.epilogue.columns + column;
    float next[8];
    if (p.epilogue.columns % 8 == 0) {
      load_8(from, next);
    } else {
#pragma unroll
      for (int i = 0; i < 8; ++i) next[i] = column + i < p.epilogue.columns ? from[i] : 0.0f;
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] = segment == 0 ? next[i] : sum[i] + next[i];
  }
  finish_8<T>(p.epilogue, row, column, sum);
}

TileChoice choice_of(const CudaIgemm& call, int multiprocessors) {
  return choose_tile({.rows_of_one = call.pixels(),
                      .rows = call.capacity() * call.pixels(),
                      .columns = call.epilogue.columns,
                      .depth = call.depth()},
                     multiprocessors);
}

constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

template <class T, class Tile>
void launch_tile(const RunContext& context, Arguments p, int64_t rows, const TileChoice& choice) {
  static_assert(kGemmStages == 4 && Tile::kPipelineBytes + Tile::kTotalsBytes <= (128 << 10));
  p.column_tiles = static_cast<int>(divide_up(p.epilogue.columns, Tile::kColumns));
  const int64_t blocks = divide_up(rows, Tile::kRows) * p.column_tiles;
  launch(context,
         {.grid_x = blocks,
          .grid_y = choice.side_by_side ? choice.segments : 1,
          .block = Tile::kThreads,
          .shared = Tile::kPipelineBytes + (p.segment_steps != 0 ? Tile::kTotalsBytes : 0)},
         igemm_kernel<T, Tile>, p);
}

template <class T>
void run_typed(const CudaIgemm& call, const RunContext& context) {
  const int64_t rows = call.capacity() * call.pixels();
  if (rows == 0) return;
  const TileChoice choice = choice_of(call, context.stream->card().multiprocessors);
  Arguments p{.image = call.image,
              .epilogue = call.epilogue,
              .rows = device_rows(call.x),
              .pixels = call.pixels(),
              .x = call.x.data,
              .packed = context.packed,
              .column_tiles = 0,
              .steps = static_cast<int>(divide_up(call.depth(), kGemmStep)),
              .block_steps = 0,
              .segment_steps = choice.segments > 1 && !choice.side_by_side ? choice.segment_steps : 0,
              .partial = choice.side_by_side ? static_cast<float*>(context.scratch) : nullptr,
              .partial_stride = rows * call.epilogue.columns};
  p.block_steps = choice.side_by_side ? choice.segment_steps : p.steps;
  switch (choice.tile) {
    case 0: launch_tile<T, GemmTile<128, 128, 2, 4>>(context, p, rows, choice); break;
    case 1: launch_tile<T, GemmTile<128, 64, 2, 2>>(context, p, rows, choice); break;
    default: launch_tile<T, GemmTile<64, 64, 2, 2>>(context, p, rows, choice); break;
  }
  if (!choice.side_by_side) return;
  const int64_t items = rows * divide_up(call.epilogue.columns, 8);
  launch(context, {.grid_x = divide_up(items, kReduceThreads), .block = kReduceThreads}, reduce_kernel<T>, p,
         choice.segments);
}

}  // namespace

int64_t igemm_half_scratch_bytes(const CudaIgemm& call, int multiprocessors) {
  return choice_of(call, multiprocessors).scratch_bytes;
}

void igemm_half(const CudaIgemm& call, const RunContext& context) {
  if (call.x.dtype == DType::f16) return run_typed<f16>(call, context);
  run_typed<bf16>(call, context);
}

}  // namespace spinert
