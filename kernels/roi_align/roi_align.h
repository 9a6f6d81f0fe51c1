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
//          1..L   features  f32 or u8, each map with its quantisation (f16, bf16 on cuda) [1,H,W,C], finest first, C
//          equal, H, W >= 1
// Output   0      y         of the type of the maps [R,P,P,C], P = output_size
// Edges    a region with a NaN or Inf corner gives 0; inverted ones have sides of 1 feature pixel (area below 0 reads
//          the finest level); huge ones read where a sample falls inside. R = 0 is allowed. NaN features spread.
// Rows     follows the row count of rois.
// Errors   E_MODEL_ARCH: parameters out of range, shapes do not fit.
// Source   torchvision.ops.MultiScaleRoIAlign, torchvision.ops.roi_align
#pragma once

#include <cmath>

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
// Writes one number for each region in use, in the order in which the CPU kernels take them: by level, then from top to
// bottom. The low bits are the region. The order changes no result: regions do not read each other.
inline constexpr uint64_t kRoiOrderIndex = 0xffffffff;
void roi_align_order(const OpCall& call, uint64_t* order);
int64_t roi_align_order_bytes(const OpCall& call, int threads);

// What the two above are made of; the kernels of the card call the same functions.

// Level l >= 1 is read from sqrt(area) = boundary[l] on.
struct RoiLevels {
  int count;
  float boundary[kRoiAlignMaxLevels];
};
RoiLevels roi_align_levels(const RoiAlignParams& params, int levels);

SPINERT_HOST_DEVICE int roi_align_level(const RoiLevels& levels, const Box& roi) {
  const float side = std::sqrt(box_area(roi));  // NaN for an area below 0: every comparison fails, level 0
  int level = 0;
  for (int l = 1; l < levels.count; ++l) {
    if (side >= levels.boundary[l]) level = l;
  }
  return level;
}

// A region along one axis of a feature map: its first edge and the length of a bin, in pixels of the map.
struct RoiAxis {
  float first, bin;
};
// start and end are the region's edges on the canvas.
SPINERT_HOST_DEVICE RoiAxis roi_align_axis(float start, float end, float scale, int64_t output_size) {
  const float first = start * scale;
  const float length = box_max(end * scale - first, 1.0f);
  return {first, length / static_cast<float>(output_size)};
}

// Sample i of bin b along an axis of `extent` pixels.
SPINERT_HOST_DEVICE RoiTap roi_align_tap(const RoiAxis& axis, int64_t b, int64_t i, int64_t samples, int64_t extent) {
  const float position = axis.first + static_cast<float>(b) * axis.bin +
                         (static_cast<float>(i) + 0.5f) * axis.bin / static_cast<float>(samples);
  // Written so that NaN takes the branch of "outside".
  if (!(position >= -1.0f && position <= static_cast<float>(extent))) return {0, 0, 0, 0, false};
  const float inside = position <= 0.0f ? 0.0f : position;
  const auto low = static_cast<int32_t>(inside);
  if (low >= extent - 1) {
    const auto last = static_cast<int32_t>(extent - 1);
    return {last, last, 1.0f, 0.0f, true};
  }
  const float fraction = inside - static_cast<float>(low);
  return {low, low + 1, 1.0f - fraction, fraction, true};
}

}  // namespace spinert
