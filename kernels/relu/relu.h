// relu.h - y = x < 0 ? 0 : x, limited to max where max is not 0 (relu6). Element by element, any shape.
//
// Inputs   0 x  f32, f16 or bf16, rank 1 to 5
// Output   0 y  same type, shape
// Edges    NaN stays NaN; empty tensors are allowed. Exact: every kernel gives the same values.
// Rows     follows the row count of x.
// Errors   E_MODEL_ARCH: max other than 0 or 6.
// Source   torch.nn.functional.relu, relu6
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct ReluParams {
  int64_t max = 0;  // 0: no upper limit, or 6
};

void visit(ReluParams& params, ParamVisitor& visitor);
Status relu_infer(const ReluParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost relu_cost(const OpCall& call);
Tolerance relu_tolerance(const OpCall& call);

}  // namespace spinert
