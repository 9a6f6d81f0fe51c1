// linear.h - fully connected layer with the epilogues of conv2d.
//
//   y[r,o] = activation( bias[o] + sum over k of x[r,k] * w[k,o] )
//
// Inputs   0 x      f32 [R, ...], everything after dim 0 is one row of K elements in storage order
//          1 weight f32 [K][O]
//          2 bias   f32 [O], optional
// Output   0 y      f32 [R,O]
// Rows     follows the row count of x.
// Source   torch.nn.functional.linear (weights transposed at conversion).
#pragma once

#include "kernels/base/epilogue.h"
#include "kernels/base/kernel.h"

namespace spinert {

struct LinearParams {
  Activation activation = Activation::none;
};

void visit(LinearParams& params, ParamVisitor& visitor);
Status linear_infer(const LinearParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost linear_cost(const OpCall& call);
Tolerance linear_tolerance(const OpCall& call);

}  // namespace spinert
