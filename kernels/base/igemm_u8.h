// igemm_u8.h - implicit matrix product over NHWC images of u8 codes: the engine of conv2d and linear where x is u8.
//
//   y[m, o] = activation( factor[o] * sum over k of (A[m, k] - zero) * B[k, o] + bias[o] + residual[m', o] )
//
// The sum is one of whole numbers: exact in i32, the same in every order (kernels/base/quantise.h). As in igemm.h row m
// is one output pixel and row k is one (tap, channel); each thread gathers a block of rows for all of k, because sums
// cannot wait in y as codes.
#pragma once

#include <cstdint>

#include "kernels/base/epilogue.h"
#include "kernels/base/tensor.h"

namespace spinert {

// Channels are padded to a multiple of this, per tap: a cache line of codes, and one row of a tile of AMX.
inline constexpr int64_t kIgemmU8Chunk = 64;
// Output channels of one panel: two vectors of 16 sums.
inline constexpr int64_t kIgemmU8Panel = 32;
// Codes of the gathered block of one thread: with one panel of B it stays inside a 1 MB second-level cache.
inline constexpr int64_t kIgemmU8Block = 560 * 1024;

struct IgemmU8Problem {
  const uint8_t* x = nullptr;  // [batch][in_h][in_w][in_c]
  Quantisation x_codes;
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, padding = 0, dilation = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  const void* packed = nullptr;  // IgemmU8Packed
  const float* bias = nullptr;   // [out_c] or null
  Tensor residual;               // u8, f32 or absent, [batch][residual_h][residual_w][out_c]
  int64_t residual_h = 0, residual_w = 0, residual_upsample = 1;
  Activation activation = Activation::none;
  Tensor y;  // u8 or f32, [batch][out_h][out_w][out_c]

  int64_t rows() const { return batch * out_h * out_w; }
};

// The packed form of a weight [taps][in_c][out_c], in this order, every part a multiple of 64 bytes:
//   codes  s8 [panel][tap][channels / 4, padded to a chunk][32 output channels][4 channels], absent ones 0
//   steps  f32 [padded out_c], 1 beyond out_c
//   sums   i32 [padded out_c], of the codes of each output channel
struct IgemmU8Packed {
  int64_t taps, in_c, out_c;

  int64_t panels() const { return (out_c + kIgemmU8Panel - 1) / kIgemmU8Panel; }
  int64_t chunks_per_tap() const { return (in_c + kIgemmU8Chunk - 1) / kIgemmU8Chunk; }
  int64_t k() const { return taps * chunks_per_tap() * kIgemmU8Chunk; }
  int64_t steps_at() const { return panels() * k() * kIgemmU8Panel; }
  int64_t sums_at() const { return steps_at() + panels() * kIgemmU8Panel * int64_t{sizeof(float)}; }
  int64_t bytes() const { return sums_at() + panels() * kIgemmU8Panel * int64_t{sizeof(int32_t)}; }
};

}  // namespace spinert
