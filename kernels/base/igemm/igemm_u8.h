// igemm_u8.h - the implicit matrix product of igemm_call.h over u8 codes. The engine of conv2d and linear at the level
// avx512_vnni; its packed weight is also that of amx_int8.
//
//   y[m, o] = activation( factor[o] * sum over k of (A[m, k] - zero) * B[k, o] + bias[o] + residual[m', o] )
//
// The sum is one of whole numbers: exact in i32, the same in every order (kernels/base/quantise.h). Each thread gathers
// a block of rows for all of k, because sums cannot wait in y as codes.
#pragma once

#include <cstdint>

#include "kernels/base/igemm/igemm_call.h"

namespace spinert {

// Output channels of one panel: two vectors of 16 sums.
inline constexpr int64_t kIgemmU8Panel = 32;

// Null, or why a call is not one over codes.
inline const char* igemm_u8_rejects(const IgemmCall& p) {
  const auto fits = [](const Tensor& t) { return t.dtype == DType::u8 || t.dtype == DType::f32; };
  if (p.x.dtype != DType::u8) return "activations are not u8";
  if (p.groups != 1) return "groups != 1";
  return fits(p.y) && (!p.residual.present() || fits(p.residual)) ? nullptr : "residual and output: u8 or f32";
}

// The packed weight, in this order, every part a multiple of 64 bytes:
//   codes  s8 [panel][tap][channels / 4, in whole lines][32 output channels][4 channels], absent ones 0
//   steps  f32 [padded out_c], 1 beyond out_c
//   sums   i32 [padded out_c], of the codes of each output channel
struct IgemmU8Packed {
  int64_t taps, in_c, out_c;

  explicit IgemmU8Packed(const IgemmCall& p) : taps(p.taps()), in_c(p.in_c), out_c(p.out_c) {}
  int64_t panels() const { return divide_up(out_c, kIgemmU8Panel); }
  int64_t padded_out() const { return panels() * kIgemmU8Panel; }
  int64_t lines_per_tap() const { return divide_up(in_c, kLineBytes); }
  int64_t k() const { return taps * lines_per_tap() * kLineBytes; }
  int64_t steps_at() const { return k() * padded_out(); }
  int64_t sums_at() const { return steps_at() + padded_out() * int64_t{sizeof(float)}; }
  int64_t bytes() const { return sums_at() + padded_out() * int64_t{sizeof(int32_t)}; }
};

}  // namespace spinert
