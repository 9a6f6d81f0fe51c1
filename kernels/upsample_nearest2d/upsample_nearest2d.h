// upsample_nearest2d.h - y = fine + coarse enlarged two times by repeating each pixel; the top-down step of a feature
// pyramid. There is no operator for the enlargement alone.
//
// Inputs   0 coarse  f32 [N,h,w,C]
//          1 fine    f32 [N,2h,2w,C]
// Output   0 y       f32 [N,2h,2w,C]
// Edges    empty tensors are allowed. Exact: one rounding, whatever the kernel.
// Rows     follows the row count of fine; coarse must hold at least as many rows.
// Errors   E_MODEL_ARCH: shapes do not fit.
// Source   torch.nn.functional.interpolate(mode="nearest") and torch.add
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct UpsampleNearest2dParams {};

void visit(UpsampleNearest2dParams& params, ParamVisitor& visitor);
Status upsample_nearest2d_infer(const UpsampleNearest2dParams& params, std::span<const TensorType> in,
                                std::span<TensorType> out);
Cost upsample_nearest2d_cost(const OpCall& call);
Tolerance upsample_nearest2d_tolerance(const OpCall& call);

}  // namespace spinert
