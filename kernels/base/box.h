// box.h - box arithmetic, the one definition for host and device: area, IoU, decoding, clipping, order. Everything is
// float with separate multiplications and additions (the build forbids contraction), in the order written here, so
// that topk, box_decode and nms give the same bits on every backend, the reference included.
//
// A box is x1, y1, x2, y2 in pixels of the canvas; x2, y2 are edges, not the last pixel: width = x2 - x1.
#pragma once

#include <cstdint>

#include "kernels/base/portable_exp.h"

namespace spinert {

struct Box {
  float x1, y1, x2, y2;
};

// Both return b if either is NaN and for equal operands: what the vector instructions MAXPS and MINPS do.
SPINERT_HOST_DEVICE float box_max(float a, float b) {
  return a > b ? a : b;
}
SPINERT_HOST_DEVICE float box_min(float a, float b) {
  return a < b ? a : b;
}

SPINERT_HOST_DEVICE bool is_finite(float x) {
  return x - x == 0.0f;  // Inf - Inf and NaN - NaN are NaN
}
SPINERT_HOST_DEVICE bool is_finite(const Box& b) {
  return is_finite(b.x1) && is_finite(b.y1) && is_finite(b.x2) && is_finite(b.y2);
}

SPINERT_HOST_DEVICE float box_area(const Box& b) {
  return (b.x2 - b.x1) * (b.y2 - b.y1);
}

// Intersection over union. Two boxes of area 0 give 0/0 = NaN, which is above no threshold: both survive.
SPINERT_HOST_DEVICE float box_iou(const Box& i, float area_i, const Box& j, float area_j) {
  const float w = box_max(box_min(i.x2, j.x2) - box_max(i.x1, j.x1), 0.0f);
  const float h = box_max(box_min(i.y2, j.y2) - box_max(i.y1, j.y1), 0.0f);
  const float inter = w * h;
  return inter / (area_i + area_j - inter);
}

// Largest dw and dh: exp of it is 1000/16, so that one wild delta cannot make an unbounded box.
inline constexpr float kDecodeClip = 4.135166556742356f;  // log(1000 / 16)

struct DecodeWeights {
  float x, y, w, h;
};

// Applies deltas dx, dy, dw, dh to a base box: centre moves by d/weight in units of the base's sides, sides scale by
// exp(d/weight). NaN stays NaN.
SPINERT_HOST_DEVICE Box box_apply_deltas(const Box& base, const float* delta, const DecodeWeights& weights) {
  const float width = base.x2 - base.x1, height = base.y2 - base.y1;
  const float centre_x = base.x1 + 0.5f * width, centre_y = base.y1 + 0.5f * height;
  const float dx = delta[0] / weights.x, dy = delta[1] / weights.y;
  const float dw = delta[2] / weights.w, dh = delta[3] / weights.h;
  const float half_w = 0.5f * (portable_exp(dw > kDecodeClip ? kDecodeClip : dw) * width);
  const float half_h = 0.5f * (portable_exp(dh > kDecodeClip ? kDecodeClip : dh) * height);
  const float x = dx * width + centre_x, y = dy * height + centre_y;
  return {x - half_w, y - half_h, x + half_w, y + half_h};
}

// x limited to [0, size]; for finite x.
SPINERT_HOST_DEVICE float box_clip(float x, float size) {
  return box_min(box_max(x, 0.0f), size);
}
SPINERT_HOST_DEVICE Box box_clip(const Box& b, float width, float height) {
  return {box_clip(b.x1, width), box_clip(b.y1, height), box_clip(b.x2, width), box_clip(b.y2, height)};
}

// The order of all scored lists: score descending, then index ascending. Scores must not be NaN; -0 equals +0.
SPINERT_HOST_DEVICE bool box_before(float score_a, int64_t index_a, float score_b, int64_t index_b) {
  return score_a > score_b || (score_a == score_b && index_a < index_b);
}

}  // namespace spinert
