// add.h - y = a + b, element by element, two tensors of one shape.
//
// Inputs   0 a  f32, rank 1 to 5
//          1 b  f32, same shape
// Output   0 y  f32, same shape
// Edges    NaN and Inf as in IEEE addition; empty tensors are allowed. Exact: one rounding, whatever the kernel.
// Rows     follows the row count of a; b must hold at least as many rows.
// Errors   E_MODEL_ARCH: shapes differ (no broadcasting).
// Source   torch.add
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct AddParams {};

void visit(AddParams& params, ParamVisitor& visitor);
Status add_infer(const AddParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost add_cost(const OpCall& call);
Tolerance add_tolerance(const OpCall& call);

}  // namespace spinert
