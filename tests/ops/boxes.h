// boxes.h - box lists for the cases of box_decode, nms, roi_align and crop_resize.
#pragma once

#include <limits>
#include <string>

#include "tests/ops/op_case.h"

namespace spinert::cases {

// Fills n boxes (x1,y1,x2,y2) on a canvas of side `canvas`. Kinds:
//   random    corners anywhere up to a quarter outside, sides up to half the canvas
//   cluster   around a few centres, so that many overlap
//   planted   pairs whose IoU is 0.5 exactly, 0.5 + 1e-5, 0.5 - 1e-5, in turn (sides 100; float rounding below 1e-7)
//   point     zero area, every second one a duplicate of the one before
//   same      all equal
//   chain     each overlaps its neighbours by 7/13 and no other by more than 1/4
//   boundary  squares of side 112, 224, 448 and their float neighbours
//   hostile   NaN, Inf, huge, inverted, far outside, zero-size, ordinary, in turn
inline void fill_boxes(float* boxes, int64_t n, const std::string& kind, uint64_t seed, float canvas) {
  using Limits = std::numeric_limits<float>;
  constexpr float kNaN = Limits::quiet_NaN(), kInf = Limits::infinity(), kHuge = 3e38f;
  const float c = canvas;
  const float hostile[][4] = {
      {kNaN, 1, 9, 9},
      {1, 1, kInf, 9},
      {-kHuge, -kHuge, kHuge, kHuge},
      {c / 2, c / 2, c / 4, c / 4},
      {3 * c, 3 * c, 4 * c, 4 * c},
      {5, 5, 5, 5},
      {c / 8, c / 8, c / 2, c / 2},
      {-kInf, 0, kInf, c},
      {c / 2, 0, c / 4, c},
      {0, 0, kHuge, 1},
      {-2 * c, -2 * c, -c, -c},
      {0, kNaN, kNaN, 1},
      {0, 0, 1e-40f, 1e-40f},
      {0, 0, c, c},
      {c - 1, c - 1, c, c},
      {-c, c / 4, c / 8, c / 2},
  };
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<uint64_t>(i) * 4;
    const float r0 = random_uniform(seed, at), r1 = random_uniform(seed, at + 1);
    const float r2 = random_uniform(seed, at + 2), r3 = random_uniform(seed, at + 3);
    float* b = boxes + i * 4;
    const auto set = [&](float x1, float y1, float x2, float y2) {
      b[0] = x1;
      b[1] = y1;
      b[2] = x2;
      b[3] = y2;
    };
    if (kind == "hostile") {
      const float* h = hostile[i % 16];
      set(h[0], h[1], h[2], h[3]);
    } else if (kind == "same") {
      set(c / 8, c / 8, c / 2, c / 4);
    } else if (kind == "planted") {
      // [0,0,100,100] against [0,0,100,h]: IoU = h / 100. Pairs lie apart from each other.
      constexpr float kHeight[] = {50.0f, 50.001f, 49.999f};
      const float left = static_cast<float>(i / 2) * 128.0f;
      set(left, 0, left + 100.0f, i % 2 == 0 ? 100.0f : kHeight[i / 2 % 3]);
    } else if (kind == "point") {
      const float x = static_cast<float>(i / 2), y = static_cast<float>(i / 4);
      set(x, y, x + (i % 8 < 4 ? 0.0f : 3.0f), y);
    } else if (kind == "chain") {
      const float left = static_cast<float>(i) * 30.0f;
      set(left, 0, left + 100.0f, 100.0f);
    } else if (kind == "boundary") {
      float side = 112.0f * static_cast<float>(int64_t{1} << (i / 3 % 3));
      if (i % 3 == 1) side = side - side * 0x1p-23f;
      if (i % 3 == 2) side = side - side * 0x1p-19f;  // below 2^(-1e-6) times the boundary
      set(0, 0, side, side);
    } else if (kind == "cluster") {
      const auto centre = static_cast<float>(random_bits(seed, at) % 5);
      const float x = (centre + 1) * c / 7 + r1 * c / 40, y = (centre + 1) * c / 8 + r2 * c / 40;
      const float side = c / 12 * (1.0f + 0.3f * r3);
      set(x - side, y - side * 0.8f, x + side, y + side * 0.8f);
    } else {
      const float x = (r0 * 0.75f + 0.5f) * c, y = (r1 * 0.75f + 0.5f) * c;
      set(x - (r2 + 1.0f) * c / 8, y - (r3 + 1.0f) * c / 8, x + (r3 + 1.01f) * c / 8, y + (r2 + 1.01f) * c / 8);
    }
  }
}

}  // namespace spinert::cases
