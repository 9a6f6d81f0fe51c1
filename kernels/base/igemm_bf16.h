// igemm_bf16.h - the implicit matrix product of igemm.h over bf16: x and the weight in bf16, sums in float. The engine
// of conv2d and linear at the level avx512_bf16.
//
// One instruction multiplies two neighbouring channels of a row with two rows of the weight, so both operands hold
// pairs of channels side by side.
#pragma once

#include <cstdint>

#include "kernels/base/half.h"
#include "kernels/base/igemm.h"

namespace spinert {

// Channels are padded with zeros to a multiple of this, per tap, in both packed operands; 32 bf16 are a cache line.
inline constexpr int64_t kIgemmBf16Chunk = 32;

struct IgemmBf16Problem : IgemmShape {
  const bf16* x = nullptr;         // [batch][in_h][in_w][in_c]
  const bf16* packed = nullptr;    // igemm_bf16_pack
  const float* bias = nullptr;     // [out_c] or null
  const bf16* residual = nullptr;  // [batch][residual_h][residual_w][out_c] or null
  Activation activation = Activation::none;
  void* y = nullptr;  // [batch][out_h][out_w][out_c], bf16 or f32
  bool y_is_f32 = false;

  int64_t chunks_per_tap() const { return (in_c + kIgemmBf16Chunk - 1) / kIgemmBf16Chunk; }
  int64_t chunks() const { return kernel_h * kernel_w * chunks_per_tap(); }
};

// Bytes of the packed form of a weight [taps][in_c][out_c] for panels of `panel` output channels:
// [panel number][tap][pair of channels, padded to kIgemmBf16Chunk][panel][2]; absent channels are zero. Rounded to
// bf16.
int64_t igemm_bf16_packed_bytes(int64_t taps, int64_t in_c, int64_t out_c, int64_t panel);
void igemm_bf16_pack(const float* weight, int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, bf16* packed,
                     ThreadPool& pool);

// How a call is cut: items for the threads as in IgemmCut, and k into blocks of block_chunks. Where there is more than
// one block of k, the sums of a block of rows wait in scratch memory, in float. The cut never changes a result.
struct IgemmBf16Cut {
  IgemmCut items;
  int64_t block_chunks;
};
IgemmBf16Cut igemm_bf16_cut(int64_t rows, int64_t chunks, int64_t panels, int64_t tile_rows, int threads);

// Bytes of scratch memory of one thread: the gathered rows, then the waiting sums. rows: the most there can be.
struct IgemmBf16Scratch {
  int64_t gathered, sums;
  int64_t bytes() const { return gathered + sums; }
};
IgemmBf16Scratch igemm_bf16_scratch(int64_t rows, int64_t chunks, int64_t out_c, int64_t panel, int64_t tile_rows);

}  // namespace spinert
