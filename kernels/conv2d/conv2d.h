// conv2d.h - 2-D convolution (cross-correlation, as in every deep-learning library) with a fused epilogue.
//
//   y[n,oy,ox,o] = activation( bias[o] + residual[n,ry,rx,o]
//                              + sum over i,j,c of x[n, oy*stride + i*dilation - padding, ..., g*Cg + c] * w[i,j,c,o] )
//
// T is f32, f16 or bf16; f16 only on cuda. Sums are at least float. Where T is a half type a kernel may round the
// weight to it. T may also be u8, on cpu: then the weight is rounded to s8 per output channel, the sum is one of
// integers and exact, and factor, bias, residual and activation follow in float (kernels/base/quantise.h).
// Inputs   0 x        T   [N,H,W,C]
//          1 weight   f32 [kh][kw][C/groups][O], output channel o belongs to group o / (O/groups)
//          2 bias     f32 [O], optional
//          3 residual T   [N,OH,OW,O], optional, of any type if T is u8; with residual_upsample = 2 it is
//                     [N,OH/2,OW/2,O] and read at (oy/2, ox/2): the nearest-neighbour upsampling of a feature pyramid
//                     without a pass of its own
// Output   0 y        `output` or T [N,OH,OW,O], OH = floor((H + 2*padding - dilation*(kh-1) - 1) / stride) + 1
// Edges    taps outside x count as 0. N = 0 is allowed. NaN and Inf spread as in the sum, and in a kernel that
//          transforms its operands over its tile (4x4 outputs in Winograd) as NaN: never lost. relu keeps NaN.
// Rows     follows the row count of x.
// Errors   E_MODEL_ARCH from infer for shapes or parameters that do not fit.
// Source   torch.nn.functional.conv2d; residual and activation follow it in that order.
#pragma once

#include "kernels/base/epilogue.h"
#include "kernels/base/kernel.h"

namespace spinert {

struct Conv2dParams {
  int64_t stride = 1;
  int64_t padding = 0;  // zeros on each side, both axes
  int64_t dilation = 1;
  int64_t groups = 1;
  int64_t residual_upsample = 1;  // 1 or 2
  Activation activation = Activation::none;
  DType output = DType::none;  // type of y; none: that of x
};

void visit(Conv2dParams& params, ParamVisitor& visitor);
Status conv2d_infer(const Conv2dParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost conv2d_cost(const OpCall& call);
Tolerance conv2d_tolerance(const OpCall& call);

// Extents of one call, taken apart once; every kernel starts from this.
struct Conv2dShape {
  int64_t batch, in_h, in_w, in_c, kernel_h, kernel_w, out_h, out_w, out_c;
  int64_t residual_h, residual_w;  // 0 without residual
};
Conv2dShape conv2d_shape(const OpCall& call);

}  // namespace spinert
