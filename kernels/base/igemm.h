// igemm.h - implicit matrix product over NHWC images: the shared engine of conv2d and linear on the cpu backend.
//
//   y[m, o] = activation( bias[o] + residual[m', o] + sum over k of A[m, k] * B[k, o] )
//
// Row m is one output pixel; row k is one (tap, channel). A is never formed as a whole: each thread gathers one block
// of rows and one block of k into its own buffer, reads it for all output channels, and moves on. A linear layer is the
// case of a 1x1 image and a 1x1 kernel.
#pragma once

#include <cstdint>

#include "kernels/base/epilogue.h"

namespace spinert {

// Channels are padded with zeros to a multiple of this, per tap, in both packed operands; 16 floats are a cache line.
inline constexpr int64_t kIgemmChunk = 16;
// The gathered block of one thread: kIgemmBlockRows rows of kIgemmBlockK, which with one panel of B stays inside a 1 MB
// second-level cache. From kIgemmLong on B comes from memory, so more rows, of kIgemmLongK, share one pass of it.
inline constexpr int64_t kIgemmBlockK = 1536, kIgemmBlockRows = 112;
inline constexpr int64_t kIgemmLong = 8192, kIgemmLongK = 512, kIgemmLongRows = 336;

// Geometry of one call, sizes in elements.
struct IgemmShape {
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, padding = 0, dilation = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t residual_h = 0, residual_w = 0, residual_upsample = 1;

  int64_t rows() const { return batch * out_h * out_w; }
  // The row of the residual that belongs to row m of the output.
  int64_t residual_row(int64_t m) const {
    if (residual_upsample == 1) return m;
    const int64_t x = m % out_w / residual_upsample, y = m / out_w % out_h / residual_upsample;
    return (m / (out_w * out_h) * residual_h + y) * residual_w + x;
  }
};

// One call. All pointers are read-only but y.
struct IgemmProblem : IgemmShape {
  const float* x = nullptr;         // [batch][in_h][in_w][in_c]
  const float* packed = nullptr;    // igemm_pack
  const float* bias = nullptr;      // [out_c] or null
  const float* residual = nullptr;  // [batch][residual_h][residual_w][out_c] or null
  Activation activation = Activation::none;
  float* y = nullptr;  // [batch][out_h][out_w][out_c]

  int64_t chunks_per_tap() const { return (in_c + kIgemmChunk - 1) / kIgemmChunk; }
  int64_t chunks() const { return kernel_h * kernel_w * chunks_per_tap(); }
};

// Floats of the packed form of a weight [taps][in_c][out_c] for panels of `panel` output channels:
// [panel number][tap][channel, padded to kIgemmChunk][panel]; absent channels are zero.
int64_t igemm_packed_floats(int64_t taps, int64_t in_c, int64_t out_c, int64_t panel);
void igemm_pack(const float* weight, int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, float* packed,
                ThreadPool& pool);
void igemm_pack_i8(const StoredI8& weight, int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, float* packed,
                   ThreadPool& pool);

// Floats of the gathered block of one thread, for tiles of `tile_rows` rows.
int64_t igemm_scratch_floats(int64_t tile_rows);

// How a call is cut for the threads: an item is one tile of rows and one group of panels, group by group. Every thread
// takes a contiguous share of the items in blocks of tiles. Panels are split only where whole tiles would leave a
// thread idle for long. The cut never changes a result: every output is one sum in the order of k.
struct IgemmBlock {
  int64_t tile, tiles, group;  // tiles [tile, tile + tiles) of this group of panels
};
struct IgemmShares {
  int64_t tiles, panels, panel_groups;
  int64_t items() const { return tiles * panel_groups; }
  int64_t panel_begin(int64_t group) const { return panels * group / panel_groups; }
  // The block at `item` of a share that ends at `end`: of at most `largest` tiles, as equal as the share allows.
  IgemmBlock block(int64_t item, int64_t end, int64_t largest) const;
};
IgemmShares igemm_shares(int64_t rows, int64_t panels, int64_t tile_rows, int threads);

// The same in whole row blocks: row blocks, times groups of panels when there are fewer blocks than
// threads. The cut never changes a result: every output is one sum in the order of k.
struct IgemmCut {
  int64_t block_rows, row_blocks, panel_groups;
  int64_t items() const { return row_blocks * panel_groups; }
};
// largest_block: rows of the largest block that the caller's buffers hold.
IgemmCut igemm_cut(int64_t rows, int64_t panels, int64_t tile_rows, int threads, int64_t largest_block);

}  // namespace spinert
