// conv2d_stem.h - the first convolution of a network on a grey picture, with normalisation folded in.
//
// A grey picture is replicated to C equal channels, normalised as (grey/255 - mean_c)/std_c and zero-padded *after*
// that. So the C channels collapse into one (docs/architecture.md, "Exact rewrites"):
//
//   y[n,oy,ox,o] = activation( border[row class of oy][column class of ox][o]
//                              + sum over taps inside of grey[n, oy*stride + i - padding, ...] * w[i,j,o] )
//   w[i,j,o]      = sum over c of W[i,j,c,o] / (255 std_c)
//   border[..][o] = bias[o] - sum over the taps inside the picture, and c, of W[i,j,c,o] * mean_c / std_c
//
// A class is the set of taps that lie inside: leading rows have one class each, all inner rows share one, trailing rows
// have one each (stem_classes).
//
// Inputs   0 grey   f32 [N,H,W,1], 0..255
//          1 weight f32 [kh][kw][1][O]
//          2 border f32 [row classes][column classes][O]
// Output   0 y      f32 or `output` (f16, bf16 on cuda; u8 on cpu, where a sum that is no number becomes the code 0)
// [N,OH,OW,O] Rows     follows the row count of grey.
#pragma once

#include "kernels/base/epilogue.h"
#include "kernels/base/kernel.h"

namespace spinert {

struct Conv2dStemParams {
  int64_t stride = 2;
  int64_t padding = 3;
  Activation activation = Activation::none;
  DType output = DType::none;  // type of y: f32 if none, f16, bf16, u8
};

void visit(Conv2dStemParams& params, ParamVisitor& visitor);
Status conv2d_stem_infer(const Conv2dStemParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost conv2d_stem_cost(const OpCall& call);
Tolerance conv2d_stem_tolerance(const OpCall& call);

// Border classes of one axis: output positions before `leading` and from `trailing_begin` on have a class of their own,
// those between share class `leading`.
struct StemClasses {
  int64_t leading, trailing_begin, count;
  SPINERT_HOST_DEVICE int64_t of(int64_t position) const {
    if (position < leading) return position;
    return position < trailing_begin ? leading : leading + 1 + (position - trailing_begin);
  }
};
StemClasses stem_classes(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding);

// Computes weight and border from the three-channel convolution: weight_in [kh][kw][C][O], bias [O] or absent. In
// double, rounded once.
void conv2d_stem_fold(const Tensor& weight_in, const Tensor& bias, std::span<const double> mean,
                      std::span<const double> std, const StemClasses& rows, const StemClasses& columns, int64_t in_h,
                      int64_t in_w, int64_t stride, int64_t padding, const Tensor& weight, const Tensor& border);

}  // namespace spinert
