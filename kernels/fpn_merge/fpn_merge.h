// fpn_merge.h - one level of a feature pyramid without its merged map: the 3x3 convolution of (1x1 convolution of the
// backbone's map + upsampled map of the level above), with both convolutions composed. The inner sum never exists.
//
// With A the backbone's map [H,W,Q], T the merged map above [H/2,W/2,C], Y = 2y + a, X = 2x + b, phase p = 2a + b, and
// everything outside a map counting as 0:
//   out[Y,X,o] = border[class of Y][class of X][o]
//                + sum over i,j in 0..2, q of Wc[i,j,q,o] * A[Y + i - 1, X + j - 1, q]
//                + sum over r,s in 0..1, c of K[p,r,s,c,o] * T[y + a - 1 + r, x + b - 1 + s, c]
// The class of a row is 0 for the first, 2 for the last, 1 between; of a column likewise. fpn_merge_fold makes the
// operands from the weights Wi[q,c], bi[c] of the 1x1 and Wl[i,j,c,o], bl[o] of the 3x3 convolution:
//   Wc[i,j,q,o]   = sum over c of Wl[i,j,c,o] * Wi[q,c]
//   K[p,r,s,c,o]  = sum over i in I(a,r), j in I(b,s) of Wl[i,j,c,o],  I(0,0) = {0}, I(0,1) = {1,2}, I(1,0) = {0,1},
//                   I(1,1) = {2}: the taps that fall on one pixel of T
//   border[.][.]  = bl[o] + sum over the taps inside, and c, of Wl[i,j,c,o] * bi[c]; the 3x3 pads the *sum* with zeros
//
// T is f32, f16 or bf16; f16 only on cuda. Sums are at least float. Where T is a half type a kernel may round the
// weight to it.
// Inputs   0 fine    T   [N,H,W,Q], H and W even
//          1 weight  f32 [9Q + 16C][O]: the rows of Wc [3][3][Q], then those of K [4][2][2][C]. One tensor, because
//                        kernels pack one.
//          2 border  f32 [3][3][O]
//          3 coarse  T   [N,H/2,W/2,C]
// Output   0 y       `output` or T [N,H,W,O]
// Edges    N = 0 is allowed. NaN and Inf spread as in the sums.
// Rows     follows the row count of fine.
// Errors   E_MODEL_ARCH: shapes and types that do not fit.
// Source   torchvision.ops.FeaturePyramidNetwork, one level
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct FpnMergeParams {
  DType output = DType::none;  // type of y; none: that of fine
};

enum FpnMergeInput : size_t { kFpnFine, kFpnWeight, kFpnBorder, kFpnCoarse };

inline constexpr int64_t kFpnFineTaps = 9, kFpnPhases = 4, kFpnCoarseTaps = 4;

void visit(FpnMergeParams& params, ParamVisitor& visitor);
Status fpn_merge_infer(const FpnMergeParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost fpn_merge_cost(const OpCall& call);
Tolerance fpn_merge_tolerance(const OpCall& call);

// Rows of the weight and of the border table.
constexpr int64_t fpn_merge_weight_rows(int64_t fine_channels, int64_t coarse_channels) {
  return kFpnFineTaps * fine_channels + kFpnPhases * kFpnCoarseTaps * coarse_channels;
}
constexpr int64_t fpn_merge_class(int64_t position, int64_t extent) {
  return position == 0 ? 0 : position == extent - 1 ? 2 : 1;
}

// lateral [1][1][Q][C], lateral_bias [C] or absent, smooth [3][3][C][O], smooth_bias [O] or absent. In double, rounded
// once.
void fpn_merge_fold(const Tensor& lateral, const Tensor& lateral_bias, const Tensor& smooth, const Tensor& smooth_bias,
                    const Tensor& weight, const Tensor& border);

}  // namespace spinert
