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

}  // namespace spinert
