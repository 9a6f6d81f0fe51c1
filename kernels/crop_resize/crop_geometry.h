// crop_geometry.h - where crop_resize reads: the square of a patch and the taps of its rows and columns, one definition
// for host and device. All in double, in the order written here; the fraction is rounded to float.
#pragma once

#include <cmath>

#include "kernels/base/box.h"

namespace spinert {

// Where one output row or column reads along its axis: low and low + 1, either of which may lie outside. low is -2 if
// both do.
struct CropTap {
  int32_t low;
  float fraction;
};
inline constexpr int32_t kCropOutside = -2;

// The square of one patch: first sample position and distance of samples along each axis. valid = false: zeros.
struct CropSquare {
  double x0, y0, step;
  bool valid;
};
// entry: scale, dx, dy.
SPINERT_HOST_DEVICE CropSquare crop_resize_square(const double* entry, int64_t size, const float* b) {
  const Box box{b[0], b[1], b[2], b[3]};
  if (!is_finite(box)) return {0, 0, 0, false};
  const double x1 = box.x1, y1 = box.y1, x2 = box.x2, y2 = box.y2;
  const double width = x2 - x1, height = y2 - y1;
  const double side = entry[0] * (width < height ? height : width);
  const double cx = (x1 + x2) / 2 + entry[1] * side, cy = (y1 + y2) / 2 + entry[2] * side;
  return {cx - side / 2, cy - side / 2, side / static_cast<double>(size), side > 0};
}
// Tap of output position i for the axis that starts at `first` and has `extent` canvas pixels.
SPINERT_HOST_DEVICE CropTap crop_resize_tap(double first, double step, int64_t i, int64_t extent) {
  const double position = first + (static_cast<double>(i) + 0.5) * step - 0.5;
  const double low = std::floor(position);
  // Also false for NaN: nothing outside this range is converted to an integer.
  if (!(low >= -1 && low < static_cast<double>(extent))) return {kCropOutside, 0};
  return {static_cast<int32_t>(low), static_cast<float>(position - low)};
}

}  // namespace spinert
