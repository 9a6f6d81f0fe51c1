// crop_resize.h - K square patches around each box, cut from the canvas and scaled to size x size.
//
// Entry k of the table is (scale, dx, dy): side = scale * max(x2-x1, y2-y1), centre = box centre + (dx, dy) * side.
// Output pixel (u, v) samples the canvas at x = cx - side/2 + (u + 0.5) * side/size - 0.5, y likewise with v,
// bilinear; each of the four taps that lies outside the canvas counts as 0. Positions are double; the fraction is
// rounded to float (crop_geometry.h). Patch k of box b is row b*K + k.
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

}  // namespace spinert
