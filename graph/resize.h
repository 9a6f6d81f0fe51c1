// resize.h - a graph for a picture of another height and width: the same nodes, constants and meaning on other shapes.
#pragma once

#include "graph/graph.h"

namespace spinert {

// A copy of the graph whose picture inputs, [1,h,w,c] without a row count and all of one size, have this height and
// width instead. What names the extents of the picture follows: the clipping of box_decode, the scale of roi_align.
// Numbers of values and nodes stay, and so do all constants: nodes share their parameters with the graph where these
// do not change.
// Errors: E_MODEL_ARCH if there is no such input, if shapes no longer fit, or if a constant would change with them (the
// border classes of a stem).
Result<Graph> resized(const Graph& graph, int64_t height, int64_t width);

}  // namespace spinert
