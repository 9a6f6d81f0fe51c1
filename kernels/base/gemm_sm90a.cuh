// gemm_sm90a.cuh - the matrix product of conv2d and linear on Hopper: y[row][column] = finish(sum over k of a * b), a
// pixels or rows in f16 or bf16, b a packed weight, sums in f32.
//
// A persistent block of three warpgroups. One thread of the first fills a ring of stages in shared memory by TMA, one
// stage per step of 64 k: 128 rows of a (im2col or a plain box) and a tile of b, both in the 128-byte swizzle that
// wgmma reads. The other two warpgroups multiply. With 256 columns they share a tile, 64 rows each; with fewer each has
// a tile of its own, and while one stores its tile the other multiplies.
//
//   full[stage]   one arrival and the bytes of the stage: the operands are there
//   empty[stage]  one arrival of each warp that multiplies: nobody reads the stage any more
//   turn          named barriers: tiles are multiplied in the order in which the ring is filled. Otherwise a warpgroup
//                 could wait for a phase two ahead of the barrier's, which a parity cannot tell from one that is over.
//
// The sum of an output is one chain over k or a fixed number of them, added in order: in a block that keeps the total
// in registers, or by a second kernel if the segments are items of their own. Neither changes a byte.
#pragma once

#include "kernels/base/gemm_epilogue_sm90a.cuh"
#include "kernels/base/gemm_tiles_sm90a.cuh"
#include "kernels/base/tensor_map.h"

namespace spinert::sm90a {

inline constexpr int kColumnGroup = 32;       // columns of the packed weight that are permuted among themselves
inline constexpr int kThreads = 384;          // one warpgroup that loads, two that multiply
inline constexpr int kRingBytes = 192 << 10;  // a block may have 227 KiB of shared memory
inline constexpr int kBarrierBytes = 256;     // behind the ring

// kAdds: for items of several segments.
template <class T, int kTileColumns, bool kAdds_ = false>
struct Tile {
  using Half = T;
  static constexpr int kColumns = kTileColumns;
  static constexpr bool kAdds = kAdds_;
  // Both warpgroups multiply one tile: where one alone would not have registers for all sums.
  static constexpr bool kShared = kColumns == 256 || kAdds;
  static constexpr int kBlocks = kShared ? 1 : 2;  // of 64 rows, that one warpgroup multiplies
  static constexpr int kBytesA = kTileRows * kChunk * 2, kBytesB = kColumns * kChunk * 2;
  static constexpr int kStageBytes = kBytesA + kBytesB;
  static constexpr int kStages = kRingBytes / kStageBytes;
  static constexpr int kReaders = kShared ? 8 : 4;  // warps that read one stage
  static_assert(2 * 8 * kStages <= kBarrierBytes);
};

template <int kLevels>
struct GemmMaps {
  ptx::TensorMap a[kLevels];
  ptx::TensorMap b;
};

template <int kLevels>
struct GemmParams {
  GemmWork<kLevels> work;
  GemmTarget target[kLevels];
  GemmEpilogue epilogue;
  float* partial;  // [segment][row][column] if segments are side by side, else null; one level only
  int64_t partial_rows;
  // Where a comes from: pixels under the taps of a convolution, or boxes of rows.
  bool im2col;
  int kernel_w, stride, padding, dilation;
  int chunks_per_tap, packed_columns;
};

// The stage that comes next, of the loading thread or of a warpgroup.
template <int kStages>
struct Ring {
  uint32_t barriers;  // shared address: full of each stage, then empty of each
  int stage = 0;
  uint32_t parity = 0;

  __device__ uint32_t full() const { return barriers + 8 * stage; }
  __device__ uint32_t empty() const { return barriers + 8 * (kStages + stage); }
  __device__ uint32_t previous_empty() const { return barriers + 8 * (kStages + (stage == 0 ? kStages : stage) - 1); }
  __device__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
  __device__ void skip(int steps) {
    const int next = stage + steps;
    parity ^= (next / kStages) & 1;
    stage = next % kStages;
  }
};

// The thread that loads.
template <class Tile, int kLevels>
__device__ __forceinline__ void load_tiles(const GemmMaps<kLevels>& maps, const GemmParams<kLevels>& p,
                                           const GemmWalk<kLevels>& walk, uint32_t shared) {
  Ring<Tile::kStages> ring{shared + kRingBytes};
  for (int index = static_cast<int>(blockIdx.x); index < walk.items(); index += static_cast<int>(gridDim.x)) {
    const GemmItem item = walk.at(index);
    const GemmTarget& target = p.target[item.level];
    const ptx::TensorMap* const map = &maps.a[item.level];
    const int image = item.row / target.pixels, pixel = item.row % target.pixels;
    const int h = pixel / target.width * p.stride - p.padding, w = pixel % target.width * p.stride - p.padding;
    int tap = item.first_chunk / p.chunks_per_tap, channel = item.first_chunk % p.chunks_per_tap * kChunk;
    int i = tap / p.kernel_w, j = tap % p.kernel_w;
    for (int step = item.first_chunk; step < item.end_chunk; ++step) {
      const uint32_t a = shared + ring.stage * Tile::kStageBytes, b = a + Tile::kBytesA, full = ring.full();
      ptx::mbarrier_wait(ring.empty(), ring.parity ^ 1);
      ptx::mbarrier_expect_tx(full, Tile::kStageBytes);
      if (p.im2col) {
        ptx::tma_load_im2col_4d(a, map, full, channel, w, h, image, static_cast<uint16_t>(j * p.dilation),
                                static_cast<uint16_t>(i * p.dilation));
      } else {
        ptx::tma_load_tile_2d(a, map, full, channel, item.row);
      }
      ptx::tma_load_tile_2d(b, &maps.b, full, channel, tap * p.packed_columns + item.column * Tile::kColumns);
      channel += kChunk;
      if (channel == p.chunks_per_tap * kChunk) {
        channel = 0;
        ++tap;
        if (++j == p.kernel_w) {
          j = 0;
          ++i;
        }
      }
      ring.advance();
    }
  }
}

// The sums of one segment and one warpgroup: rows from first_block * 64 of each stage on.
template <class Tile>
__device__ __forceinline__ void multiply(Ring<Tile::kStages>& ring, uint32_t shared, int first_block, int steps,
                                         float (&sum)[Tile::kBlocks][Tile::kColumns / 2]) {
  constexpr int kBlockBytes = 64 * kChunk * 2, kEightRows = 8 * kChunk * 2, kStep = 16;
  const bool speaks = threadIdx.x % 32 == 0;
  for (int step = 0; step < steps; ++step) {
    const uint32_t a = shared + ring.stage * Tile::kStageBytes + first_block * kBlockBytes;
    const uint32_t b = shared + ring.stage * Tile::kStageBytes + Tile::kBytesA;
    ptx::mbarrier_wait(ring.full(), ring.parity);
    ptx::wgmma_fence();
#pragma unroll
    for (int k = 0; k < kChunk; k += kStep) {
      const uint64_t right = ptx::wgmma_descriptor(b + 2 * k, 0, kEightRows, ptx::Swizzle::bytes128);
#pragma unroll
      for (int block = 0; block < Tile::kBlocks; ++block) {
        const uint64_t left =
            ptx::wgmma_descriptor(a + 2 * k + block * kBlockBytes, 0, kEightRows, ptx::Swizzle::bytes128);
        ptx::wgmma_m64k16<typename Tile::Half, Tile::kColumns>(sum[block], left, right, step > 0 || k > 0);
      }
    }
    ptx::wgmma_commit();
    // The products of this step run on while the next one's operands are awaited; the stage before is free.
    ptx::wgmma_wait<1>();
    if (speaks && step > 0) ptx::mbarrier_arrive(ring.previous_empty());
    ring.advance();
  }
  ptx::wgmma_wait<0>();
  if (speaks) ptx::mbarrier_arrive(ring.previous_empty());
}

// All segments of a tile, added in order.
template <class Tile, int kLevels>
__device__ __forceinline__ void add_segments(const GemmWork<kLevels>& work, Ring<Tile::kStages>& ring, uint32_t shared,
                                             int first_block, float (&total)[Tile::kBlocks][Tile::kColumns / 2]) {
  float sum[Tile::kBlocks][Tile::kColumns / 2] = {};
  for (int segment = 0; segment < work.segments; ++segment) {
    multiply<Tile>(ring, shared, first_block, work.segment_begin(segment + 1) - work.segment_begin(segment), sum);
#pragma unroll
    for (int block = 0; block < Tile::kBlocks; ++block) {
#pragma unroll
      for (int i = 0; i < Tile::kColumns / 2; ++i) {
        total[block][i] = segment == 0 ? sum[block][i] : total[block][i] + sum[block][i];
      }
    }
  }
}

// Finishes and stores one item's sums, or stores those of a segment for reduce_kernel. The weight is packed so that the
// eight sums of a row that a thread holds in each group of 32 columns are neighbours.
template <class Tile, int kLevels>
__device__ __forceinline__ void store_tile(const GemmParams<kLevels>& p, const GemmItem& item, int rows,
                                           int first_block, const float (&sum)[Tile::kBlocks][Tile::kColumns / 2]) {
  const GemmTarget& target = p.target[item.level];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32 % 4;
  const int first_column = item.column * Tile::kColumns + lane % 4 * kEight;
  float* const partial = p.partial ? p.partial + item.first_segment * p.partial_rows * p.epilogue.columns : nullptr;
  constexpr int kRows = 2 * Tile::kBlocks;  // of one thread, 8 apart in a block of 64
  int row[kRows];
  int64_t residual[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    row[r] = item.row + 64 * (first_block + r / 2) + 16 * warp + lane / 4 + 8 * (r % 2);
    residual[r] = target.residual ? residual_row(target, row[r]) : 0;
  }
#pragma unroll
  for (int group = 0; group < Tile::kColumns / kColumnGroup; ++group) {
    const int column = first_column + group * kColumnGroup;
    if (column >= p.epilogue.columns) continue;
    float bias[kEight];
    load_bias(p.epilogue, column, bias);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      if (row[r] >= rows) continue;
      float eight[kEight];
#pragma unroll
      for (int i = 0; i < kEight; ++i) eight[i] = sum[r / 2][16 * group + 4 * (i / 2) + 2 * (r % 2) + i % 2];
      if (partial) {
        store_8(partial + row[r] * p.epilogue.columns + column, eight);
      } else {
        finish_eight<typename Tile::Half>(p.epilogue, target, row[r], residual[r], column, bias, eight);
      }
    }
  }
}

template <class Tile, int kLevels>
__global__ void __launch_bounds__(kThreads, 1)
    gemm_kernel(const __grid_constant__ GemmMaps<kLevels> maps, const __grid_constant__ GemmParams<kLevels> p) {
  constexpr int kTurn = 1;  // named barriers 1 and 2: the turn of the first and of the second warpgroup
  constexpr int kBoth = 256;
  const uint32_t shared = ptx::shared_address(dynamic_shared());
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      const Ring<Tile::kStages> ring{shared + kRingBytes, stage};
      ptx::mbarrier_init(ring.full(), 1);
      ptx::mbarrier_init(ring.empty(), Tile::kReaders);
    }
    ptx::fence_mbarrier_init();
    for (int level = 0; level < kLevels; ++level) ptx::prefetch_tensor_map(&maps.a[level]);
    ptx::prefetch_tensor_map(&maps.b);
  }
  __syncthreads();
  ptx::grid_dependency_wait();
  const GemmWalk<kLevels> walk(p.work);
  const int warpgroup = static_cast<int>(threadIdx.x) / 128;
  // Registers of 128 * 40 + 256 * 232 fit into the 384 * 168 that the launch bounds give.
  if (warpgroup == 0) {
    ptx::setmaxnreg_dec<40>();
    if (threadIdx.x == 0) {
      load_tiles<Tile>(maps, p, walk, shared);
      ptx::grid_dependency_launch();
    }
  } else {
    ptx::setmaxnreg_inc<232>();
    const int mine = warpgroup - 1, first_block = Tile::kShared ? mine : 0;
    const int items = walk.items(), stride = static_cast<int>(gridDim.x), first = static_cast<int>(blockIdx.x);
    float sum[Tile::kBlocks][Tile::kColumns / 2] = {};
    Ring<Tile::kStages> ring{shared + kRingBytes};
    for (int index = first, turn = 0; index < items; index += stride, turn ^= 1) {
      const GemmItem item = walk.at(index);
      if (!Tile::kShared && turn != mine) {
        ring.skip(item.chunks());
        continue;
      }
      if (!Tile::kShared && index != first) ptx::named_barrier_sync(kTurn + mine, kBoth);
      if constexpr (Tile::kAdds) {
        add_segments<Tile>(p.work, ring, shared, first_block, sum);
      } else {
        multiply<Tile>(ring, shared, first_block, item.chunks(), sum);
      }
      if (!Tile::kShared && index + stride < items) ptx::named_barrier_arrive(kTurn + 1 - mine, kBoth);
      store_tile<Tile>(p, item, walk.rows(item.level), first_block, sum);
    }
  }
}

// Adds segments that were side by side in order and finishes the sums: eight columns of a row per thread and step.
inline constexpr int kReduceThreads = 256;
template <class T>
__global__ void __launch_bounds__(kReduceThreads) reduce_kernel(const __grid_constant__ GemmParams<1> p) {
  ptx::grid_dependency_wait();
  const int64_t groups = p.epilogue.columns / kEight, rows = p.work.images.get() * p.work.pixels[0];
  for (int64_t i = int64_t{blockIdx.x} * kReduceThreads + threadIdx.x; i < rows * groups;
       i += int64_t{gridDim.x} * kReduceThreads) {
    const int row = static_cast<int>(i / groups);
    const int64_t column = i % groups * kEight;
    const float* const part = p.partial + row * p.epilogue.columns + column;
    float total[kEight], more[kEight], bias[kEight];
    load_bias(p.epilogue, column, bias);
    load_8(part, total);
    for (int segment = 1; segment < p.work.segments; ++segment) {
      load_8(part + segment * p.partial_rows * p.epilogue.columns, more);
#pragma unroll
      for (int k = 0; k < kEight; ++k) total[k] += more[k];
    }
    finish_eight<T>(p.epilogue, p.target[0], row, residual_row(p.target[0], row), column, bias, total);
  }
}

}  // namespace spinert::sm90a
