// anchors.h - the anchor boxes of a region proposal network, all levels in one list.
//
// Base anchor of (size, ratio): h = size * sqrt(ratio), w = size / sqrt(ratio), box = round_half_even([-w,-h,w,h] / 2).
// It is shifted by (x * stride_x, y * stride_y), stride = floor(canvas / feature extent) per axis. Order: level, y, x,
// anchor; anchor = ratio * sizes_per_level + size.
//
// Inputs   0      canvas    f32, f16 or bf16 [1,S,T,any]: only its height and width are used
//          1..L   features  f32, f16 or bf16 [1,H,W,any], H, W >= 1: only the extents are used
// Output   0      anchors   f32 [A,4] = x1,y1,x2,y2, A = sum over levels of H*W*ratios*sizes_per_level
// A pure function of shapes: no input is read, so a plan may evaluate it once. Bit-equal on every backend.
// Errors   E_MODEL_ARCH: number of sizes is not a multiple of L, sizes or ratios not above 0, canvas smaller than a
//          feature map.
// Source   torchvision.models.detection.anchor_utils.AnchorGenerator
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

// Most levels, sizes and ratios of one call.
inline constexpr size_t kAnchorLevels = 8, kAnchorSizes = 64, kAnchorRatios = 16;

struct AnchorsParams {
  std::vector<double> sizes = {32, 64, 128, 256, 512};  // L equal runs, one per level
  std::vector<double> ratios = {0.5, 1, 2};             // height / width
};

void visit(AnchorsParams& params, ParamVisitor& visitor);
Status anchors_infer(const AnchorsParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost anchors_cost(const OpCall& call);
Tolerance anchors_tolerance(const OpCall& call);

}  // namespace spinert
