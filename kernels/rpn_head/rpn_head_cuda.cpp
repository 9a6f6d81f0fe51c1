// rpn_head_cuda.cpp - host side of rpn_head_cuda.h.
#include "kernels/rpn_head/rpn_head_cuda.h"

#include <limits>

namespace spinert {

const char* rpn_head_cuda_rejects(const OpCall& call) {
  // Tiles and steps reach beyond the end by less than this.
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 4096;
  int64_t pixels = 0;
  for (size_t l = 0; l < rpn_head_levels(call); ++l) {
    const Shape& map = call.in[rpn_head_map(l)].shape;
    pixels += map[1] * map[2];
  }
  if (pixels > kMost) return "more than 2^31 pixels";
  if (9 * call.in[kRpnWeight].shape[2] > kMost) return "more than 2^31 weights per hidden channel";
  return nullptr;
}

RpnCall rpn_head_cuda_call(const OpCall& call, int tile_pixels) {
  RpnCall result;
  result.levels = static_cast<int>(rpn_head_levels(call));
  for (int l = 0; l < result.levels; ++l) {
    const auto level = static_cast<size_t>(l), count = static_cast<size_t>(result.levels);
    const Tensor& map = call.in[rpn_head_map(level)];
    result.level[l] = {.map = map.data,
                       .logits = call.out[level].f32(),
                       .deltas = call.out[count + level].f32(),
                       .height = static_cast<int>(map.shape[1]),
                       .width = static_cast<int>(map.shape[2]),
                       .first_tile = result.tiles};
    result.tiles += static_cast<int>((map.shape[1] * map.shape[2] + tile_pixels - 1) / tile_pixels);
  }
  result.channels = static_cast<int>(call.in[kRpnWeight].shape[2]);
  result.hidden = static_cast<int>(call.in[kRpnWeight].shape[3]);
  result.anchors = static_cast<int>(call.in[kRpnLogitsBias].shape[0]);
  result.bias = call.in[kRpnBias].f32();
  result.logits_weight = call.in[kRpnLogitsWeight].f32();
  result.logits_bias = call.in[kRpnLogitsBias].f32();
  result.deltas_weight = call.in[kRpnDeltasWeight].f32();
  result.deltas_bias = call.in[kRpnDeltasBias].f32();
  return result;
}

}  // namespace spinert
