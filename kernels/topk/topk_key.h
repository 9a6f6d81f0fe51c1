// topk_key.h - what every topk kernel does with one score, host and device: its place in the order, and the threshold.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/base/box.h"

namespace spinert {

// Maps floats to unsigned numbers that ascend as scores descend; -0 and +0 give one number. For scores that are not
// NaN the order of (key, index) is that of box_before.
SPINERT_HOST_DEVICE uint32_t topk_key(float score) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // -0 + 0 = +0
  const uint32_t ascending = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return ~ascending;
}

struct TopkThreshold {
  float value;
  bool strict, on_sigmoid;
};

// Whether a selected score is kept.
SPINERT_HOST_DEVICE bool topk_passes(const TopkThreshold& threshold, float score) {
  const float value = threshold.on_sigmoid ? portable_sigmoid(score) : score;
  return threshold.strict ? value > threshold.value : value >= threshold.value;
}

}  // namespace spinert
