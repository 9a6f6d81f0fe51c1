// chunks_sm80.cu - the steps between two plans that are chained on the card: begin, take a chunk, give its results.
//
// Layout    rows of any kind, copied as 32-bit words
// Tile      one block: a chunk is a few hundred bytes
// Work      none; a chunk of 6 boxes moves 96 bytes in and 576 bytes out
// Bound     launch
// Measured  not yet: no card was available; predicted at the time of a launch, since 672 bytes take no time at 4.3 TB/s
// Rejects   not a kernel of an operator: the chain refuses rows that are no multiple of four bytes
// Numerics  copies bits
// Tried     nothing else
#include "kernels/base/chunks.h"
#include "kernels/base/cuda.cuh"

namespace spinert {
namespace {

constexpr int kThreads = 256;

__device__ int32_t rows_to_feed(const ChunkState& state) {
  return min(max(*state.total, 0), state.capacity);
}

__global__ void __launch_bounds__(32) chunks_begin_kernel(ChunkState state) {
  if (threadIdx.x != 0) return;
  *state.next = 0;
  *state.more = rows_to_feed(state) > 0 ? 1 : 0;
}

// Words [0, rows * row) of one of the copies, by all threads of the block.
__device__ void copy_rows(const void* from, int64_t from_row, void* to, int64_t to_row, int64_t rows,
                          int64_t row_bytes) {
  const int64_t row = row_bytes / 4;
  const uint32_t* source = static_cast<const uint32_t*>(from) + from_row * row;
  uint32_t* target = static_cast<uint32_t*>(to) + to_row * row;
  for (int64_t i = threadIdx.x; i < rows * row; i += kThreads) target[i] = source[i];
}

__global__ void __launch_bounds__(kThreads) chunk_take_kernel(ChunkState state, RowCopies copies) {
  const int32_t next = *state.next;
  const int32_t rows = min(state.chunk, rows_to_feed(state) - next);
  for (const RowCopy& copy : copies) copy_rows(copy.from, next, copy.to, 0, rows, copy.row_bytes);
  if (threadIdx.x == 0) *state.in_chunk = rows;
}

__global__ void __launch_bounds__(kThreads) chunk_give_kernel(ChunkState state, RowCopies copies) {
  const int32_t next = *state.next, rows = *state.in_chunk;
  for (const RowCopy& copy : copies) copy_rows(copy.from, 0, copy.to, next, rows, copy.row_bytes);
  __syncthreads();  // every thread has read next
  if (threadIdx.x != 0) return;
  *state.next = next + rows;
  *state.more = next + rows < rows_to_feed(state) ? 1 : 0;
}

}  // namespace

void enqueue_chunks_begin(CudaStream& stream, const ChunkState& state) {
  launch({.stream = &stream}, {.block = 32}, chunks_begin_kernel, state);
}

void enqueue_chunk_take(CudaStream& stream, const ChunkState& state, const RowCopies& copies) {
  launch({.stream = &stream}, {.block = kThreads}, chunk_take_kernel, state, copies);
}

void enqueue_chunk_give(CudaStream& stream, const ChunkState& state, const RowCopies& copies) {
  launch({.stream = &stream}, {.block = kThreads}, chunk_give_kernel, state, copies);
}

}  // namespace spinert
