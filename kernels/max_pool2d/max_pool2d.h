// max_pool2d.h - largest value of a sliding window, per channel.
//
// Inputs   0 x  f32 or u8 [N,H,W,C]; f16, bf16 on cuda
// Output   0 y  as x, codes of u8 with the quantisation of x [N,OH,OW,C], OH = floor((H + 2*padding - kernel) / stride)
// + 1 Edges    Places outside x count as -Inf; padding is at most kernel / 2, so that every window holds a place of x.
//          NaN spreads: a window with a NaN gives NaN. N = 0 and C = 0 are allowed. Exact in every kernel (+0 and -0
//          count as equal).
// Rows     follows the row count of x.
// Errors   E_MODEL_ARCH: parameters out of range, window larger than the padded input.
// Source   torch.nn.functional.max_pool2d (ceil_mode off)
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct MaxPool2dParams {
  int64_t kernel = 3;
  int64_t stride = 2;
  int64_t padding = 1;
};

void visit(MaxPool2dParams& params, ParamVisitor& visitor);
Status max_pool2d_infer(const MaxPool2dParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost max_pool2d_cost(const OpCall& call);
Tolerance max_pool2d_tolerance(const OpCall& call);

}  // namespace spinert
