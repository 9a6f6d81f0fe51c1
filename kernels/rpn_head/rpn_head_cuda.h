// rpn_head_cuda.h - one call of rpn_head as its cuda kernels see it: all levels in one launch, whose tiles are runs of
// pixels numbered through the levels.
#pragma once

#include "kernels/rpn_head/rpn_head.h"

namespace spinert {

struct RpnLevel {
  const void* map = nullptr;
  float *logits = nullptr, *deltas = nullptr;
  int height = 0, width = 0;
  int first_tile = 0;  // of all levels before this one
};

struct RpnCall {
  RpnLevel level[kRpnHeadMaxLevels];
  int levels = 0, tiles = 0;
  int channels = 0, hidden = 0, anchors = 0;  // C, K, A
  const float* bias = nullptr;
  const float *logits_weight = nullptr, *logits_bias = nullptr, *deltas_weight = nullptr, *deltas_bias = nullptr;
};

// Null, or why no kernel takes the call: a number does not fit an int.
const char* rpn_head_cuda_rejects(const OpCall& call);

// Tiles of tile_pixels pixels; the last one of a level may be partial.
RpnCall rpn_head_cuda_call(const OpCall& call, int tile_pixels);

}  // namespace spinert
