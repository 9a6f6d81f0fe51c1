// fusion.h - the exact rewrites applied when a model is loaded (docs/architecture.md). They change cost, not meaning;
// each has a test against the unfused graph (tests/test_engine.cpp).
#pragma once

#include "graph/graph.h"

namespace spinert {

// conv2d or linear followed by add, upsample_nearest2d (as residual at half resolution), relu or sigmoid: one node, if
// nothing else reads what lies between.
void fuse_epilogues(Graph& graph);

// normalise of one grey channel followed by conv2d: conv2d_stem, whose weights are computed when the constants are
// loaded.
Status fuse_stem(Graph& graph);

// Both, in order, then shapes again. E_MODEL_ARCH if the result is inconsistent (a bug, since the input was not).
Status fuse(Graph& graph);

}  // namespace spinert
