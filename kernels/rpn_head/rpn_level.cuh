// rpn_level.cuh - which level a tile of rpn_head belongs to, and where its outputs lie.
#pragma once

#include "kernels/base/cuda.cuh"
#include "kernels/rpn_head/rpn_head_cuda.h"

namespace spinert {

// The last level that begins at or before the tile: one without pixels begins where the next one does.
__device__ __forceinline__ RpnLevel rpn_level_of(const RpnCall& call, int tile) {
  int level = call.levels - 1;
  while (level > 0 && tile < call.level[level].first_tile) --level;
  return call.level[level];
}

// Output o of a pixel: the logits of A anchors, then their deltas.
struct RpnOutput {
  float* to;
  const float *weight, *bias;  // weight of hidden channel 0, those of the others stride apart
  int stride;
};
__device__ __forceinline__ RpnOutput rpn_output(const RpnCall& p, const RpnLevel& level, int pixel, int o) {
  if (o < p.anchors) {
    return {level.logits + int64_t{pixel} * p.anchors + o, p.logits_weight + o, p.logits_bias + o, p.anchors};
  }
  const int delta = o - p.anchors, deltas = 4 * p.anchors;
  return {level.deltas + int64_t{pixel} * deltas + delta, p.deltas_weight + delta, p.deltas_bias + delta, deltas};
}

}  // namespace spinert
