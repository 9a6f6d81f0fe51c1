// quantise.h - the two roundings of 8-bit arithmetic: activations as u8 codes with one Quantisation a tensor, weights
// as s8 with one step per output channel. The definition for every backend and for the storage type I8 of model files.
//
//   activation  code = clamp(round_half_even(real * (1 / scale)) + zero, 0, 255), real = scale * (code - zero)
//   weight      code = clamp(round_half_even(w / step), -127, 127), step = max|w of the channel| / 127, or 1
//   sum         real = (sum over k of (x code - zero) * w code) * (x.scale * step), the sum exact in i32
//
// A real that is no number becomes the code 0: no error can be told by a code. Graphs keep inputs, outputs and scores
// in f32, and a calibration with values that are not finite is refused (graph/quantisation.h).
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/base/tensor.h"

namespace spinert {

// Products of one integer sum: each is at most 255 * 127 in size, so that i32 holds them all.
inline constexpr int64_t kMaxIntegerSum = 65536;

// nearbyint rounds half to even in the default mode, which nothing in SpineRT changes. The order of the comparisons
// turns NaN into 0.
inline uint8_t quantised(float real, const Quantisation& q) {
  const float code = std::nearbyint(real * (1.0f / q.scale)) + static_cast<float>(q.zero);
  return static_cast<uint8_t>(code > 0.0f ? (code < 255.0f ? code : 255.0f) : 0.0f);
}
inline float dequantised(uint8_t code, const Quantisation& q) {
  return q.scale * static_cast<float>(static_cast<int32_t>(code) - q.zero);
}

// largest: max|w| of an output channel. Also 1 where it is so small that the division underflows.
inline float weight_step(float largest) {
  const float step = largest / 127.0f;
  return step > 0 ? step : 1.0f;
}
inline int8_t quantised_weight(float weight, float step) {
  const float code = std::nearbyint(weight / step);
  return static_cast<int8_t>(code < -127.0f ? -127.0f : code > 127.0f ? 127.0f : code);
}

// steps[o] of a weight [rows][out_c].
void weight_steps(const float* weight, int64_t rows, int64_t out_c, float* steps);

// What the sums of a reference row are made of, in any type of x: y = factor(o) * sum of value(i) * weight()[..][o].
// Of u8 that are whole numbers, so that a double holds the sum exactly. weight: f32 [...][out_c].
class PlainOperands {
 public:
  PlainOperands(const Tensor& x, const Tensor& weight);
  double value(int64_t i) const;
  const float* weight() const { return codes_.empty() ? weight_ : codes_.data(); }
  double factor(int64_t o) const { return codes_.empty() ? 1.0 : x_scale_ * double(steps_[static_cast<size_t>(o)]); }

 private:
  Tensor x_;
  const float* weight_;
  std::vector<float> codes_, steps_;  // of the weight; empty where x is no u8
  double x_scale_ = 1;
};

}  // namespace spinert
