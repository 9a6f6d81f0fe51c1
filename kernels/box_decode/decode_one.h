// decode_one.h - one selected box: decode, clip, judge. The one definition for host and device.
#pragma once

#include "kernels/base/box.h"

namespace spinert {

struct DecodeSettings {
  DecodeWeights weights;
  float width, height, min_size;  // canvas; smallest side kept
};

enum class Decoded : unsigned char { kept, small, invalid };

// corner: the four numbers of the base box; box: the result if it is kept.
SPINERT_HOST_DEVICE Decoded decode_one(const float* corner, const float* delta, const DecodeSettings& s, Box& box) {
  const Box base{corner[0], corner[1], corner[2], corner[3]};
  const Box deltas{delta[0], delta[1], delta[2], delta[3]};
  const Box moved = box_apply_deltas(base, delta, s.weights);
  // Deltas are checked apart: the clamp of dw would turn an infinite one into an ordinary box.
  if (!is_finite(base) || !is_finite(deltas) || !is_finite(moved)) return Decoded::invalid;
  box = box_clip(moved, s.width, s.height);
  return box.x2 - box.x1 < s.min_size || box.y2 - box.y1 < s.min_size ? Decoded::small : Decoded::kept;
}

}  // namespace spinert
