// igemm_call.h - one call of the implicit matrix product over NHWC images: the form in which conv2d and linear reach
// every engine of the cpu backend.
//
//   y[m, o] = activation( bias[o] + residual[m', o] + sum over k of A[m, k] * B[k, o] )
//
// Row m is one output pixel; row k is one (tap, channel). A is never formed as a whole: each thread gathers one block
// of rows into its own buffer, reads it for all output channels, and moves on. A linear layer is the case of a 1x1
// image and a 1x1 kernel.
//
// A is read in lines: 64 bytes of the channels of one tap, which are 16 f32, 32 bf16 or 64 u8. Channels are padded to
// whole lines, per tap, in both operands; absent ones of B are zero.
#pragma once

#include <cstdint>

#include "kernels/base/epilogue.h"
#include "kernels/base/tensor.h"

namespace spinert {

inline constexpr int64_t kLineBytes = 64;

constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// All pointers are read-only but y's.
struct IgemmCall {
  Tensor x;                       // [batch][in_h][in_w][in_c]; f32, bf16 or u8
  const float* weight = nullptr;  // [taps][in_c / groups][out_c]; null where it is not there as floats
  const void* packed = nullptr;   // what the engine's pack() wrote
  const float* bias = nullptr;    // [out_c] or null
  Tensor residual;                // [batch][residual_h][residual_w][out_c] or absent
  Tensor y;                       // [batch][out_h][out_w][out_c]
  Activation activation = Activation::none;
  int64_t batch = 1, in_h = 1, in_w = 1, in_c = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, padding = 0, dilation = 1, groups = 1;
  int64_t out_h = 1, out_w = 1, out_c = 1;
  int64_t residual_h = 0, residual_w = 0, residual_upsample = 1;

  int64_t rows() const { return batch * out_h * out_w; }
  int64_t taps() const { return kernel_h * kernel_w; }
  int64_t pixel_bytes() const { return in_c * size_of(x.dtype); }
  int64_t lines_per_tap() const { return divide_up(pixel_bytes(), kLineBytes); }
  int64_t lines() const { return taps() * lines_per_tap(); }

  // The row of the residual that belongs to row m of the output.
  int64_t residual_row(int64_t m) const {
    if (residual_upsample == 1) return m;
    const int64_t px = m % out_w / residual_upsample, py = m / out_w % out_h / residual_upsample;
    return (m / (out_w * out_h) * residual_h + py) * residual_w + px;
  }
  // Row m of A is pixel m of x, in whole lines: it can be read where it is.
  bool rows_are_pixels() const { return taps() == 1 && stride == 1 && padding == 0 && pixel_bytes() % kLineBytes == 0; }
};

}  // namespace spinert
