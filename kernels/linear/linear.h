// linear.h - fully connected layer with the epilogues of conv2d.
//
//   y[r,o] = activation( bias[o] + sum over k of x[r,k] * w[k,o] )
//
// T is f32, f16 or bf16; f16 only on cuda. Sums are at least float. Where T is a half type a kernel may round the
// weight to it. T may also be u8, on cpu, with the integer sums of conv2d.h.
// Inputs   0 x      T   [R, ...], everything after dim 0 is one row of K elements in storage order
//          1 weight f32 [K][O]
//          2 bias   f32 [O], optional
// Output   0 y      `output` or T [R,O]
// Rows     follows the row count of x.
// Source   torch.nn.functional.linear (weights transposed at conversion).
#pragma once

#include "kernels/base/epilogue.h"
#include "kernels/base/kernel.h"

namespace spinert {

struct LinearParams {
  Activation activation = Activation::none;
  DType output = DType::none;  // type of y; none: that of x
};

void visit(LinearParams& params, ParamVisitor& visitor);
Status linear_infer(const LinearParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost linear_cost(const OpCall& call);
Tolerance linear_tolerance(const OpCall& call);

}  // namespace spinert
