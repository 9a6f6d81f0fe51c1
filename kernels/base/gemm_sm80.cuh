// gemm_sm80.cuh - the block tile of a half-precision matrix product for every card from 8.0 on, without a kernel around
// it: conv2d, linear and their fused relatives bring the rows of A, the weights and the epilogue.
//
//   C[row, column] = sum over k of A[row, k] * B[k, column]        A, B f16 or bf16, sums f32
//
// A block of Tile::kThreads threads computes Tile::kRows x Tile::kColumns of C with mma.sync m16n8k16. k is walked in
// steps of 32 through kGemmStages buffers in shared memory that cp.async fills ahead. Every output is one chain of sums
// in the order of k: tile shapes may differ from call to call and give the same bytes.
//
// A buffer holds rows of 32 halves (64 bytes): first those of A, then the columns of B. The four 16-byte chunks of a
// row are permuted by chunk ^ (row / 2 % 4), so that the eight rows that ldmatrix reads at once, and the eight chunks
// that eight threads of cp.async write, lie in different banks.
//
// LoadA is a class with
//   __device__ void load(uint32_t buffer);   issues the cp.async of one step into `buffer` (a shared address) and moves
//                                            on to the next; row r, chunk c goes to buffer + gemm_offset(r, c)
// and sets invalid rows and k beyond the end to zero.
#pragma once

#include "kernels/base/cuda.cuh"
#include "kernels/base/epilogue.cuh"
#include "kernels/base/igemm_cuda.h"

namespace spinert {

inline constexpr int kGemmStages = 4;
inline constexpr int kGemmRowBytes = kGemmStep * 2;  // one row of a buffer
inline constexpr int kGemmChunks = kGemmStep / 8;    // 16-byte chunks of a row

// WarpsDown x WarpsAcross warps share the tile.
template <int Rows, int Columns, int WarpsDown, int WarpsAcross>
struct GemmTile {
  static constexpr int kRows = Rows, kColumns = Columns;
  static constexpr int kWarpsAcross = WarpsAcross;
  static constexpr int kThreads = 32 * WarpsDown * WarpsAcross;
  static constexpr int kWarpRows = Rows / WarpsDown, kWarpColumns = Columns / WarpsAcross;
  static constexpr int kSlabs = kWarpRows / 16, kOctets = kWarpColumns / 8;  // mma tiles of a warp
  static constexpr int kBufferBytes = (Rows + Columns) * kGemmRowBytes;
  static constexpr int kPipelineBytes = kGemmStages * kBufferBytes;
  static constexpr int kTotalsBytes = Rows * Columns * 4;  // for GemmSegments
  // One slab of 16 rows of a warp on its way to memory; 8 floats of padding keep the float2 stores free of conflicts.
  static constexpr int kSlabStride = kWarpColumns + 8;
  static_assert(kWarpRows % 16 == 0 && kWarpColumns % 16 == 0 && 4 * Rows % kThreads == 0 &&
                4 * Columns % kThreads == 0);
  static_assert(kThreads / 32 * 16 * kSlabStride * 4 <= kPipelineBytes);

  float sum[kSlabs][kOctets][4];  // of one thread, as mma gives them
};

// Where chunk c of row r of a buffer lies.
__device__ __forceinline__ int gemm_offset(int row, int chunk) {
  return row * kGemmRowBytes + ((chunk ^ ((row >> 1) & (kGemmChunks - 1))) << 4);
}

// The packed weight (igemm_half_pack) as B: [step][column][32 halves], chunks already permuted, so that a tile's part
// of a step is one contiguous run.
template <class Tile>
class GemmWeights {
 public:
  __device__ GemmWeights(const void* packed, int columns, int first_column, int first_step)
      : bytes_per_step_(int64_t{columns} * kGemmRowBytes), rows_(columns - first_column) {
    from_ = static_cast<const unsigned char*>(packed) + first_step * bytes_per_step_ +
            (int64_t{first_column} * kGemmChunks + threadIdx.x) * 16;
  }
  __device__ __forceinline__ void load(uint32_t buffer) {
#pragma unroll
    for (int i = 0; i < kGemmChunks * Tile::kColumns / Tile::kThreads; ++i) {
      const int chunk = static_cast<int>(threadIdx.x) + i * Tile::kThreads;
      const bool inside = chunk / kGemmChunks < rows_;
      ptx::cp_async_16(buffer + static_cast<uint32_t>(chunk) * 16, inside ? from_ + i * Tile::kThreads * 16 : from_,
                       inside ? 16 : 0);
    }
    from_ += bytes_per_step_;
  }

 private:
  const unsigned char* from_;
  int64_t bytes_per_step_;
  int rows_;
};

// Ends of segments inside one block. A sum over k may be cut into segments that are added up in order: across blocks
// (split-K, partial sums in memory) or here, in sequence. Both give the same bytes. Totals lie in shared memory behind
// the pipeline, each thread's own; steps = 0: one segment.
struct GemmSegments {
  float* totals = nullptr;
  int steps = 0;
};

template <class Tile>
__device__ __forceinline__ void gemm_fold(Tile& tile, float* totals, bool first, bool last) {
  float* own = totals + threadIdx.x;
#pragma unroll
  for (int s = 0; s < Tile::kSlabs; ++s) {
#pragma unroll
    for (int o = 0; o < Tile::kOctets; ++o) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& total = own[((s * Tile::kOctets + o) * 4 + i) * Tile::kThreads];
        const float sum = first ? tile.sum[s][o][i] : total + tile.sum[s][o][i];
        total = sum;
        tile.sum[s][o][i] = last ? sum : 0.0f;
      }
    }
  }
}

// One step: 32 of k from a filled buffer.
template <class T, class Tile>
__device__ __forceinline__ void gemm_step(Tile& tile, uint32_t a_buffer, uint32_t b_buffer) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    // ldmatrix gives thread 4 g + t of each 8x8 matrix the pair (row g, k 2t). The four matrices of A are rows 0-7 and
    // 8-15 at k 0-7, then at k 8-15; those of B are two octets of columns, each at k 0-7 and 8-15.
    uint32_t a[Tile::kSlabs][4], b[Tile::kOctets][2];
#pragma unroll
    for (int s = 0; s < Tile::kSlabs; ++s) {
      ptx::ldmatrix_x4(a[s], a_buffer + static_cast<uint32_t>(gemm_offset(s * 16 + lane % 16, half * 2 + lane / 16)));
    }
#pragma unroll
    for (int o = 0; o < Tile::kOctets; o += 2) {
      uint32_t four[4];
      ptx::ldmatrix_x4(four, b_buffer + static_cast<uint32_t>(
                                            gemm_offset(o * 8 + lane % 8 + lane / 16 * 8, half * 2 + lane / 8 % 2)));
      b[o][0] = four[0];
      b[o][1] = four[1];
      b[o + 1][0] = four[2];
      b[o + 1][1] = four[3];
    }
#pragma unroll
    for (int s = 0; s < Tile::kSlabs; ++s) {
#pragma unroll
      for (int o = 0; o < Tile::kOctets; ++o) ptx::mma_m16n8k16<T>(tile.sum[s][o], a[s], b[o]);
    }
  }
}

// The main loop: `steps` steps from where a and b stand. `shared` is Tile::kPipelineBytes of dynamic shared memory.
// When it returns, every thread of the block has left the buffers, which gemm_store then uses.
template <class T, class Tile, class LoadA, class LoadB>
__device__ __forceinline__ void gemm_accumulate(Tile& tile, LoadA& a, LoadB& b, int steps, unsigned char* shared,
                                                GemmSegments segments = {}) {
  const uint32_t base = ptx::shared_address(shared);
  const auto buffer = [&](int step) { return base + static_cast<uint32_t>(step % kGemmStages * Tile::kBufferBytes); };
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const uint32_t a_part = static_cast<uint32_t>(warp / Tile::kWarpsAcross * Tile::kWarpRows * kGemmRowBytes);
  const uint32_t b_part =
      static_cast<uint32_t>((Tile::kRows + warp % Tile::kWarpsAcross * Tile::kWarpColumns) * kGemmRowBytes);
#pragma unroll
  for (int s = 0; s < Tile::kSlabs; ++s) {
#pragma unroll
    for (int o = 0; o < Tile::kOctets; ++o) {
#pragma unroll
      for (int i = 0; i < 4; ++i) tile.sum[s][o][i] = 0.0f;
    }
  }
  for (int step = 0; step < kGemmStages - 1; ++step) {
    if (step < steps) {
      a.load(buffer(step));
      b.load(buffer(step) + Tile::kRows * kGemmRowBytes);
    }
    ptx::cp_async_commit();
  }
  int segment_end = segments.steps;
  for (int step = 0; step < steps; ++step) {
    // One group is committed per step, empty or not: the group of this step is the oldest of those that may be open.
    ptx::cp_async_wait<kGemmStages - 2>();
    __syncthreads();  // the chunks of all threads are here, and nobody reads the buffer that is filled next
    if (step + kGemmStages - 1 < steps) {
      const uint32_t next = buffer(step + kGemmStages - 1);
      a.load(next);
      b.load(next + Tile::kRows * kGemmRowBytes);
    }
    ptx::cp_async_commit();
    gemm_step<T>(tile, buffer(step) + a_part, buffer(step) + b_part);
    if (segments.steps != 0 && (step + 1 == segment_end || step + 1 == steps)) {
      gemm_fold(tile, segments.totals, segment_end == segments.steps, step + 1 == steps);
      segment_end += segments.steps;
    }
  }
  ptx::cp_async_wait<0>();
  __syncthreads();
}

// Hands the finished tile to store(row, column, float (&sum)[8]): row of the tile, eight consecutive columns of it from
// a multiple of 8. Each warp turns slabs of 16 rows in its own part of shared memory, so that four neighbouring threads
// store neighbouring bytes of a row.
template <class Tile, class Store>
__device__ __forceinline__ void gemm_store(const Tile& tile, unsigned char* shared, Store&& store) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int first_row = warp / Tile::kWarpsAcross * Tile::kWarpRows;
  const int first_column = warp % Tile::kWarpsAcross * Tile::kWarpColumns;
  float* slab = reinterpret_cast<float*>(shared) + warp * 16 * Tile::kSlabStride;
#pragma unroll
  for (int s = 0; s < Tile::kSlabs; ++s) {
#pragma unroll
    for (int o = 0; o < Tile::kOctets; ++o) {
      // Of an m16n8 tile thread 4 g + t holds (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1).
      float* to = slab + lane / 4 * Tile::kSlabStride + o * 8 + lane % 4 * 2;
      to[0] = tile.sum[s][o][0];
      to[1] = tile.sum[s][o][1];
      to[8 * Tile::kSlabStride] = tile.sum[s][o][2];
      to[8 * Tile::kSlabStride + 1] = tile.sum[s][o][3];
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < 16 * Tile::kOctets / 32; ++i) {
      const int row = (lane + i * 32) / Tile::kOctets, column = (lane + i * 32) % Tile::kOctets * 8;
      float sum[8];
      load_8(slab + row * Tile::kSlabStride + column, sum);
      store(first_row + s * 16 + row, first_column + column, sum);
    }
    __syncwarp();
  }
}

}  // namespace spinert
