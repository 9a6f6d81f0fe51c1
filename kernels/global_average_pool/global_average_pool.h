// global_average_pool.h - mean over height and width, per channel.
//
// Inputs   0 x  f32 or u8 [N,H,W,C], H and W at least 1; f16, bf16 on cuda
// Output   0 y  [N,C], of the type of x; f32 if that is u8
// Edges    NaN and Inf spread as in the sum. N = 0 and C = 0 are allowed.
// Rows     follows the row count of x.
// Errors   E_MODEL_ARCH: H or W = 0.
// Source   torch.nn.functional.adaptive_avg_pool2d(x, 1)
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct GlobalAveragePoolParams {};

void visit(GlobalAveragePoolParams& params, ParamVisitor& visitor);
Status global_average_pool_infer(const GlobalAveragePoolParams& params, std::span<const TensorType> in,
                                 std::span<TensorType> out);
Cost global_average_pool_cost(const OpCall& call);
Tolerance global_average_pool_tolerance(const OpCall& call);

}  // namespace spinert
