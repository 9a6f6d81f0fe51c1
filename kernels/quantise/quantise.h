// quantise.h - y = the u8 codes of x (kernels/base/quantise.h), element by element, any shape: the step from layers in
// f32 to layers in int8. Only graph/quantisation.h makes such nodes; a model file cannot hold one.
//
// Inputs   0 x  f32, rank 1 to 5
// Output   0 y  u8, same shape; the caller sets what its codes mean
// Edges    NaN becomes the code 0; numbers beyond the codes become 0 or 255; empty tensors are allowed. Exact: every
//          kernel gives the same codes.
// Rows     follows the row count of x.
// Errors   E_MODEL_ARCH for another type of x.
// Source   torch.quantize_per_tensor
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct QuantiseParams {};

void visit(QuantiseParams& params, ParamVisitor& visitor);
Status quantise_infer(const QuantiseParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost quantise_cost(const OpCall& call);
Tolerance quantise_tolerance(const OpCall& call);

}  // namespace spinert
