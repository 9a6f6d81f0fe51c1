// sigmoid.h - y = 1 / (1 + exp(-x)), element by element, any shape.
//
// Inputs   0 x  f32, rank 1 to 5
// Output   0 y  f32, same shape
// Edges    NaN stays NaN; +Inf gives 1, -Inf gives 0; empty tensors are allowed. Uses portable_sigmoid everywhere, the
//          reference included, so that every backend gives the same bits.
// Rows     follows the row count of x.
// Source   torch.sigmoid
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct SigmoidParams {};

void visit(SigmoidParams& params, ParamVisitor& visitor);
Status sigmoid_infer(const SigmoidParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost sigmoid_cost(const OpCall& call);
Tolerance sigmoid_tolerance(const OpCall& call);

}  // namespace spinert
