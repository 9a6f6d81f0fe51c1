// topk.h - the k best scores of each group, best first, with their positions.
//
// Order: score descending, then index ascending (-0 equals +0). The first k in this order are taken; of these only the
// ones that pass the threshold stay. Thresholds are compared in float.
//
// by_class = false (region proposals): one group per input.
//   Inputs   0..G-1 scores  f32 [1,H,W,A], flattened y, x, a; index = position in this order
// by_class = true (box head): one group per class but the first, which is the background.
//   Inputs   0      scores  f32 [R,C], C >= 1, may have a row count; group g = column g + 1, index = row; G = C - 1
// Outputs  0 index    i32 [G,k]  entries beyond count[g] are -1
//          1 score    f32 [G,k]  the score as it came in; entries beyond count[g] are 0
//          2 count    i32 [G]
//          3 invalid  i32 [1]    number of scores that are NaN or infinite (in rows in use; background not looked at)
// Edges    A NaN is never selected, an infinity is ordered like a number; both are counted in `invalid`. Fewer than k
//          scores, none at all, and G = 0 are allowed. Bit-equal on every backend.
// Errors   E_MODEL_ARCH: k out of [1, 2^24], shapes do not fit.
// Source   torch.topk with the tie order that it leaves open
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct TopkParams {
  int64_t k = 1000;
  double threshold = -3.4028234663852886e38;  // lowest float: nothing but -Inf fails
  bool strict = false;                        // score > threshold instead of score >= threshold
  bool on_sigmoid = false;                    // compare sigmoid(score); the order stays by score
  bool by_class = false;
};

void visit(TopkParams& params, ParamVisitor& visitor);
Status topk_infer(const TopkParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost topk_cost(const OpCall& call);
Tolerance topk_tolerance(const OpCall& call);

// One group of a call: `length` scores, `stride` floats apart.
struct TopkGroup {
  const float* scores;
  int64_t length, stride;
};
int64_t topk_group_count(const OpCall& call);
// Uses data pointers and row counts as they are; at planning time only length's upper bound (the capacity) is known.
TopkGroup topk_group(const OpCall& call, int64_t group);
int64_t topk_group_capacity(const OpCall& call, int64_t group);
// Whether a selected score is kept.
bool topk_passes(const TopkParams& params, float score);

}  // namespace spinert
