// chunks.h - rows of one plan fed to another in chunks, on the card: the small steps between the two plans of a chain
// (runtime/chained_plan.h). All pointers are device memory; a row is a multiple of four bytes.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/base/cuda_device.h"

namespace spinert {

struct ChunkState {
  const int32_t* total = nullptr;  // rows to feed in all
  int32_t* next = nullptr;         // first row that was not fed yet
  int32_t* more = nullptr;         // 1 while there is such a row
  int32_t* in_chunk = nullptr;     // rows of the chunk at hand
  int32_t capacity = 0;            // no total goes beyond it
  int32_t chunk = 1;               // rows of a full chunk
};

struct RowCopy {
  const void* from = nullptr;
  void* to = nullptr;
  int64_t row_bytes = 0;
};
inline constexpr int kMostRowCopies = 4;
using RowCopies = std::array<RowCopy, kMostRowCopies>;  // those with row_bytes 0 are not there

// next = 0, more = total > 0.
void enqueue_chunks_begin(CudaStream& stream, const ChunkState& state);
// Rows [next, next + in_chunk) of each `from` go to the first rows of `to`; in_chunk = min(chunk, total - next).
void enqueue_chunk_take(CudaStream& stream, const ChunkState& state, const RowCopies& copies);
// The first in_chunk rows of each `from` go to rows [next, ...) of `to`; then next += in_chunk and more follows.
void enqueue_chunk_give(CudaStream& stream, const ChunkState& state, const RowCopies& copies);

}  // namespace spinert
