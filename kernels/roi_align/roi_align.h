// roi_align.h - features of each region of interest on a fixed grid, from the pyramid level that fits its size.
//
// Level l of L (l = 0 is the finest) has scale H_l / canvas. A region of area s*s reads level
// clamp(floor(canonical_level + log2(s / canonical_scale) + 1e-6), min_level, min_level + L - 1) - min_level, decided
// by comparing sqrt(area) with canonical_scale * 2^(i - 1e-6); see roi_align_level. With L = 1 there is no choice.
// Region in feature pixels: corners * scale, sides at least 1. It is cut into output_size x output_size bins with
// sampling_ratio x sampling_ratio samples each, at the centres of equal parts; a bin is the mean of its samples. A
// sample is bilinear; outside [-1, extent] it is 0, coordinates below 0 become 0, the last row and column repeat
// (the "aligned = false" form). Positions are float32 in the order of operations of the source.
//
// Inputs   0      rois      f32 [R,4] = x1,y1,x2,y2 on the canvas, may have a row count
//          1..L   features  f32 [1,H,W,C], finest first, C equal, H, W >= 1
// Output   0      y         f32 [R,P,P,C], P = output_size
// Edges    a region with a NaN or Inf corner gives 0; inverted ones have sides of 1 feature pixel (area below 0 reads
//          the finest level); huge ones read where a sample falls inside. R = 0 is allowed. NaN features spread.
// Rows     follows the row count of rois.
// Errors   E_MODEL_ARCH: parameters out of range, shapes do not fit.
// Source   torchvision.ops.MultiScaleRoIAlign, torchvision.ops.roi_align
#pragma once

#include "kernels/base/box.h"
#include "kernels/base/kernel.h"

namespace spinert {

struct RoiAlignParams {
  int64_t output_size = 7;
  int64_t sampling_ratio = 2;
  int64_t canonical_scale = 224;
  int64_t canonical_level = 4;
  int64_t min_level = 2;
  int64_t canvas = 1024;  // side of the canvas that the rois refer to
};

inline constexpr int64_t kRoiAlignMaxOutput = 32;
inline constexpr int64_t kRoiAlignMaxSampling = 8;
inline constexpr int64_t kRoiAlignMaxLevels = 8;

void visit(RoiAlignParams& params, ParamVisitor& visitor);
Status roi_align_infer(const RoiAlignParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost roi_align_cost(const OpCall& call);
Tolerance roi_align_tolerance(const OpCall& call);

// Where one sample reads along one axis. inside is false for a sample that counts as 0.
struct RoiTap {
  int32_t low, high;
  float weight_low, weight_high;
  bool inside;
};

// What a kernel needs of one region: its level and the taps of P*S samples along each axis. Used by every CPU kernel.
struct RoiPlan {
  int level = 0;
  bool valid = false;  // false: the region gives 0
  RoiTap x[kRoiAlignMaxOutput * kRoiAlignMaxSampling];
  RoiTap y[kRoiAlignMaxOutput * kRoiAlignMaxSampling];
};

// The index of the level in [0, levels) that a region reads.
int roi_align_level(const RoiAlignParams& params, int levels, const Box& roi);
void roi_align_plan(const OpCall& call, int64_t roi, RoiPlan& plan);

}  // namespace spinert
