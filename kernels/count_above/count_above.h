// count_above.h - how many of the leading scores reach a threshold. Turns a detector's sorted list into the row count
// of what follows, on the device.
//
// Inputs   0 scores  f32 [n], descending; may have a row count
// Output   0 count   i32 [1]  number of rows in use before the first one that is not >= threshold
// Edges    The threshold is compared in float; equal counts as reached. NaN counts as below. It stops at the first
// score
//          below, whatever follows: scores that are not in order are taken as they stand. No rows give 0. Exact on
//          every backend.
// Errors   E_MODEL_ARCH: threshold not finite in float, n above 2^31 - 1.
// Source   SpineRT: vertebrae that are given to the classifier
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct CountAboveParams {
  double threshold = 0.5;
};

void visit(CountAboveParams& params, ParamVisitor& visitor);
Status count_above_infer(const CountAboveParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost count_above_cost(const OpCall& call);
Tolerance count_above_tolerance(const OpCall& call);

}  // namespace spinert
