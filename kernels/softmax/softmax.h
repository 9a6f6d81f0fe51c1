// softmax.h - y[n,c] = exp(x[n,c] - m) / sum over c of exp(x[n,c] - m), m = max over c of x[n,c].
//
// Inputs   0 x  f32 [n,C], C >= 1
// Output   0 y  f32 [n,C]
// Edges    A row that holds NaN or +Inf, or -Inf alone, becomes NaN throughout; -Inf beside numbers gives 0.
//          The exponential is portable_exp and the sum is taken in double from c = 0 upwards, everywhere, the reference
//          included, so that every backend gives the same bits.
// Rows     follows the row count of x.
// Errors   E_MODEL_ARCH: C = 0.
// Source   torch.nn.functional.softmax over the last dimension
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct SoftmaxParams {};

void visit(SoftmaxParams& params, ParamVisitor& visitor);
Status softmax_infer(const SoftmaxParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost softmax_cost(const OpCall& call);
Tolerance softmax_tolerance(const OpCall& call);

}  // namespace spinert
