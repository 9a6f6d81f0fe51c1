// anchor_box.h - one anchor, the one definition for host and device.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/box.h"

namespace spinert {

// The anchor of (size, ratio) at a shift in canvas pixels. Square root and division of doubles round correctly on host
// and card, so both give the same bits.
SPINERT_HOST_DEVICE Box anchor_box(double size, double ratio, int64_t shift_x, int64_t shift_y) {
  const double root = std::sqrt(ratio);
  // nearbyint rounds halves to even, as torch.round does.
  const auto x = static_cast<float>(std::nearbyint(size / root / 2));
  const auto y = static_cast<float>(std::nearbyint(size * root / 2));
  const auto left = static_cast<float>(shift_x), top = static_cast<float>(shift_y);
  return {-x + left, -y + top, x + left, y + top};
}

}  // namespace spinert
