// nms.h - greedy non-maximum suppression within each group, then one list over all groups.
//
// Within a group boxes are taken in the order given, which is score descending, index ascending as topk and box_decode
// leave it; a box is dropped if its IoU with a box kept before is above the threshold (box_iou, compared in float;
// equal survives). The kept boxes of all groups are merged by score descending, group ascending, index ascending, and
// the first max_output of them are the result.
//
// Inputs   0 boxes   f32 [G,k,4]
//          1 scores  f32 [G,k]
//          2 count   i32 [G]
// Outputs  0 boxes   f32 [max_output,4]
//          1 scores  f32 [max_output]
//          2 group   i32 [max_output]   level or class - 1
//          3 count   i32 [1]            rows in use of outputs 0 to 2
// Edges    counts are limited to [0,k]. Two boxes of area 0 at one place are both kept (IoU 0/0 is NaN, not above the
//          threshold); NaN, Inf and inverted boxes follow the same arithmetic: defined, never outside memory. Scores
//          that are not in order are taken as they stand. Bit-equal on every backend.
// Errors   E_MODEL_ARCH: threshold outside [0,1], max_output outside [1, 2^24], shapes do not fit.
// Source   torchvision.ops.nms; torchvision.ops.boxes._batched_nms_vanilla
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct NmsParams {
  double threshold = 0.5;
  int64_t max_output = 100;
};

void visit(NmsParams& params, ParamVisitor& visitor);
Status nms_infer(const NmsParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost nms_cost(const OpCall& call);
Tolerance nms_tolerance(const OpCall& call);

// The last step, shared by the kernels: kept[g*k .. g*k + kept_count[g]) are positions in group g in its order.
// heads is room for one number per group.
void nms_merge(const OpCall& call, const int32_t* kept, const int32_t* kept_count, int32_t* heads);

}  // namespace spinert
