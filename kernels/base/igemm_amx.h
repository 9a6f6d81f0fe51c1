// igemm_amx.h - implicit matrix product over NHWC images in tiles of 16 x 16 (AMX): what kernels/base/igemm.h is for
// vectors, with activations of bf16 or u8.
//
//   y[m, o] = activation( bias[o] + residual[m', o] + scale[o] * (sum over k of A[m, k] * B[k, o] - correction[o]) )
//
// scale and correction only for u8, whose sums are integers. Both operands are cut along k into chunks of 64 bytes, the
// width of a tile row: 32 channels of bf16 or 64 of u8, per tap, the last one padded with zero weights.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/epilogue.h"

namespace spinert {

inline constexpr int64_t kAmxChunkBytes = 64;
// Output tile of one thread: 2 x 2 tiles, so that four loads serve four products.
inline constexpr int64_t kAmxRows = 32, kAmxPanel = 32;
// Bytes of one chunk of 32 rows of A, and of one chunk of a panel of B: 16 rows of 32 columns of 4 bytes.
inline constexpr int64_t kAmxChunkOf32 = 2048;
// Chunks that are multiplied in one go, and rows of one gathered block: 768 KB, which with a panel of B (96 KB) stays
// inside the 2 MB second-level cache of the processors that have tiles.
inline constexpr int64_t kAmxBlockChunks = 48, kAmxBlockRows = 256;

// One call, sizes in elements. All pointers are read-only but y.
struct AmxProblem {
  const void* x = nullptr;  // [batch][in_h][in_w][in_c], bf16 or u8
  int64_t element_bytes = 2;
  uint8_t outside = 0;  // byte that stands for a tap outside the image: the zero of u8, 0 for bf16
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, padding = 0, dilation = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  const void* packed = nullptr;
  const float* bias = nullptr;  // [out_c] or null
  Tensor residual;              // [batch][residual_h][residual_w][out_c]; dtype none: absent
  int64_t residual_h = 0, residual_w = 0, residual_upsample = 1;
  Activation activation = Activation::none;
  Tensor y;  // [batch][out_h][out_w][out_c], f32 or the type of x

  int64_t rows() const { return batch * out_h * out_w; }
  int64_t row_bytes() const { return in_c * element_bytes; }
  int64_t chunks_per_tap() const { return (row_bytes() + kAmxChunkBytes - 1) / kAmxChunkBytes; }
  int64_t chunks() const { return kernel_h * kernel_w * chunks_per_tap(); }
  int64_t panels() const { return (out_c + kAmxPanel - 1) / kAmxPanel; }
  // Rows of A lie in x as a tile load wants them.
  bool direct() const {
    return kernel_h == 1 && kernel_w == 1 && stride == 1 && padding == 0 && row_bytes() % kAmxChunkBytes == 0;
  }
};

// Temporary memory of one thread: the gathered block; one output tile of 32 x 32; sums of a block, where k takes more
// than one go.
struct AmxScratch {
  int64_t block_bytes, tile_bytes, sums_bytes;
  int64_t total() const { return block_bytes + tile_bytes + sums_bytes; }
};
inline AmxScratch amx_scratch(const AmxProblem& p) {
  const int64_t rows = std::min(kAmxBlockRows, (p.rows() + kAmxRows - 1) / kAmxRows * kAmxRows);
  const int64_t chunks = std::min(kAmxBlockChunks, p.chunks());
  return {.block_bytes = rows * chunks * kAmxChunkBytes,
          .tile_bytes = kAmxRows * kAmxPanel * 4,
          .sums_bytes = p.chunks() > kAmxBlockChunks ? rows * p.panels() * kAmxPanel * 4 : 0};
}

// The packed form of a weight [taps][in_c][out_c]: [panel of 32][tap][chunk][k / 2][column][k % 2], a panel's chunks
// contiguous; absent channels and columns are zero.
int64_t amx_packed_bytes(int64_t taps, int64_t in_c, int64_t out_c, int64_t element_bytes);
void amx_pack_bf16(const float* weight, int64_t taps, int64_t in_c, int64_t out_c, void* packed, ThreadPool& pool);

}  // namespace spinert
