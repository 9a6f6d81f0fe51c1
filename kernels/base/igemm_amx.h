// igemm_amx.h - implicit matrix product over NHWC images in tiles of 16 x 16 (AMX): what kernels/base/igemm.h is for
// vectors, with activations of bf16 or u8.
//
//   y[m, o] = activation( bias[o] + residual[m', o] + sum over k of A[m, k] * B[k, o] )
//
// of bf16; of u8 the sum is one of whole numbers, (A[m, k] - zero) * B[k, o], times a factor of the channel
// (kernels/base/quantise.h). The packed weights are those of igemm_bf16.h and igemm_u8.h, for panels of 32.
//
// // width of a tile row: 32 channels of bf16 or 64 of u8, per tap, the last one padded with zero weights.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/igemm.h"

namespace spinert {

inline constexpr int64_t kAmxChunkBytes = 64;
// Output tile of one thread: 2 x 2 tiles, so that four loads serve four products.
inline constexpr int64_t kAmxRows = 32, kAmxPanel = 32;
// Bytes of one chunk of 32 rows of A, and of one chunk of a panel of B: 16 rows of 32 columns of 4 bytes.
inline constexpr int64_t kAmxChunkOf32 = 2048;
// Chunks that are multiplied in one go, and rows of one gathered block: 768 KB, which with a panel of B (96 KB) stays
// inside the 2 MB second-level cache of the processors that have tiles.
inline constexpr int64_t kAmxBlockChunks = 48, kAmxBlockRows = 256;

// One call. All pointers are read-only but y.
struct AmxProblem : IgemmShape {
  const void* x = nullptr;  // [batch][in_h][in_w][in_c], bf16 or u8
  int64_t element_bytes = 2;
  uint8_t outside = 0;           // byte that stands for a tap outside the image: the zero of u8, 0 for bf16
  const void* packed = nullptr;  // [panel of 32][tap][chunk][4 bytes of k][column][4 bytes]
  const float* bias = nullptr;   // [out_c] or null
  Tensor residual;               // [batch][residual_h][residual_w][out_c]; dtype none: absent
  Activation activation = Activation::none;
  Tensor y;  // [batch][out_h][out_w][out_c]
  // Of u8 alone: what the codes of x mean; step and sum of the weight codes of each output channel, padded to panels.
  Quantisation x_codes;
  const float* steps = nullptr;
  const int32_t* code_sums = nullptr;

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

}  // namespace spinert
