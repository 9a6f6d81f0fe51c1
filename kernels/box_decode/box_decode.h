// box_decode.h - selected anchors or proposals and their deltas to boxes: decode, clip to the canvas, drop small ones.
//
// A selected box is base[first + index] moved by its four deltas (box_apply_deltas of kernels/base/box.h).
//
// Inputs   0 base    f32 [A,4] anchors or [R,4] proposals, may have a row count
//          1 index   i32 [G,k] } of topk
//          2 score   f32 [G,k] }
//          3 count   i32 [G]   }
//   by_class = false:
//          4..4+G-1  deltas f32 [1,H,W,4a], channel = anchor*4 + d; level g owns the H*W*a boxes of `base` that follow
//                    those of level g - 1, and index counts from the first of them
//   by_class = true:
//          4         deltas f32 [R,4C], channel = class*4 + d; group g is class g + 1, G = C - 1; index is the row
// Outputs  0 boxes    f32 [G,k,4]  entries beyond count[g] are 0
//          1 scores   f32 [G,k]    entries beyond count[g] are 0
//          2 count    i32 [G]
//          3 invalid  i32 [1]      number of selected boxes with NaN or Inf in base, deltas or decoded corners
// Kept boxes stay in the order of the selection. Dropped: invalid ones, and those with a side below min_size after
// clipping.
// Edges    counts are limited to [0,k]; an index outside its level (or the rows in use) counts as invalid. Bit-equal on
//          every backend.
// Errors   E_MODEL_ARCH: shapes do not fit, weights not four positive numbers, width or height below 1.
// Source   torchvision BoxCoder.decode, clip_boxes_to_image, remove_small_boxes
#pragma once

#include "kernels/base/kernel.h"
#include "kernels/box_decode/decode_one.h"

namespace spinert {

struct BoxDecodeParams {
  std::vector<double> weights = {1, 1, 1, 1};  // of dx, dy, dw, dh
  int64_t width = 1024;                        // canvas, in pixels
  int64_t height = 1024;
  double min_size = 0;  // smallest side kept, in pixels
  bool by_class = false;
};

void visit(BoxDecodeParams& params, ParamVisitor& visitor);
Status box_decode_infer(const BoxDecodeParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost box_decode_cost(const OpCall& call);
Tolerance box_decode_tolerance(const OpCall& call);

// The parameters as floats.
DecodeSettings box_decode_settings(const BoxDecodeParams& params);

// Decodes one group; returns the number of invalid boxes. Groups are independent: the reference and the scalar row run
// this.
int64_t box_decode_group(const OpCall& call, int64_t group);

}  // namespace spinert
