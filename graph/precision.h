// precision.h - which values of a graph are stored as 16-bit floats.
#pragma once

#include "graph/graph.h"

namespace spinert {

// Turns an f32 graph, fused or not, into mixed precision: maps between layers are stored as `half` (f16 or bf16), sums
// stay float, and geometry stays f32. Weights remain f32 constants; kernels round them when they pack them.
//
// f32 are: graph inputs and outputs, constants, and everything that an operator for geometry and scores reads or writes
// (normalise, crop_resize, place, anchors, softmax, sigmoid, topk, box_decode, nms, regions of roi_align). conv2d,
// linear, conv2d_stem and fpn_merge may change the type (parameter `output`); where operators without that parameter
// lie between, the f32 reaches back to the one before them. All types are inferred again. The pass changes parameters
// of its own copies only.
//
// Errors: E_INTERNAL if half is no 16-bit float type; those of Graph::infer.
Status set_half_activations(Graph& graph, DType half);

// Whether a graph picks among candidates by their scores (nms). There a rounding of 2^-8 does not move a result a
// little: of two boxes around one vertebra whose scores are both near 1 it keeps the other one. On 659 boxes of 64
// slices a detector in bf16 kept another one 12 times (IoU 0.94 to 0.99), lost one box and moved one probability by
// 0.03, while probabilities of boxes that stayed moved by at most 0.0081 (bench/gate.py, 2026-11-24). The cpu therefore
// computes such graphs in f32.
bool picks_by_score(const Graph& graph);

}  // namespace spinert
