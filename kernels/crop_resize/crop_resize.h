// crop_resize.h - K square patches around each box, cut from the canvas and scaled to size x size.
//
// Entry k of the table is (scale, dx, dy): side = scale * max(x2-x1, y2-y1), centre = box centre + (dx, dy) * side.
// Output pixel (u, v) samples the canvas at x = cx - side/2 + (u + 0.5) * side/size - 0.5, y likewise with v,
// bilinear; each of the four taps that lies outside the canvas counts as 0. Positions are double; the fraction is
// rounded to float (crop_resize_tap). Patch k of box b is row b*K + k.
//
// Inputs   0 canvas   f32 [1,S,T,1]
//          1 boxes    f32 [B,4] = x1,y1,x2,y2 on the canvas, may have a row count
// Output   0 patches  f32 [B*K,size,size,1]
// Edges    a box with a NaN or Inf corner, or whose longer side is not above 0, gives patches of 0. A box outside the
//          canvas gives 0 where it lies outside. B = 0 is allowed.
// Rows     K times the row count of boxes.
// Errors   E_MODEL_ARCH: size outside [1, 4096], table not 1 to 64 triples of finite numbers with scale > 0.
// Source   the formula above; no framework has this operator
#pragma once

#include <cmath>

#include "kernels/base/box.h"
#include "kernels/base/kernel.h"

namespace spinert {

inline constexpr size_t kCropMaxEntries = 64;

struct CropResizeParams {
  int64_t size = 224;
  std::vector<double> table = {1.25, 0, 0, 1.1, 0, 0, 1.4, .05, 0, 1.25, -.05, .05};  // scale, dx, dy, ...
};

void visit(CropResizeParams& params, ParamVisitor& visitor);
Status crop_resize_infer(const CropResizeParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost crop_resize_cost(const OpCall& call);
Tolerance crop_resize_tolerance(const OpCall& call);

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
CropSquare crop_resize_square(const CropResizeParams& params, const float* box, int64_t entry);

// Tap of output position i for the axis that starts at `first` and has `extent` canvas pixels.
SPINERT_HOST_DEVICE CropTap crop_resize_tap(double first, double step, int64_t i, int64_t extent) {
  const double position = first + (static_cast<double>(i) + 0.5) * step - 0.5;
  const double low = std::floor(position);
  // Also false for NaN: nothing outside this range is converted to an integer.
  if (!(low >= -1 && low < static_cast<double>(extent))) return {kCropOutside, 0};
  return {static_cast<int32_t>(low), static_cast<float>(position - low)};
}

}  // namespace spinert
