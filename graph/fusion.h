// fusion.h - the exact rewrites applied when a model is loaded (docs/architecture.md). They change cost, not meaning;
// each has a test against the unfused graph (tests/test_engine.cpp, tests/test_fusion_detector.cpp).
#pragma once

#include "graph/graph.h"

namespace spinert {

// conv2d or linear followed by add, upsample_nearest2d (as residual at half resolution), relu or sigmoid: one node, if
// nothing else reads what lies between.
void fuse_epilogues(Graph& graph);

// normalise of one grey channel followed by conv2d: conv2d_stem, whose weights are computed when the constants are
// loaded.
Status fuse_stem(Graph& graph);

// The merged map of a feature pyramid that only its own 3x3 convolution reads (the finest level): both convolutions
// become one fpn_merge. After fuse_epilogues.
void fuse_fpn_merge(Graph& graph);

// A 3x3 convolution with relu and two 1x1 convolutions on its result, on several maps (two at least) with the same
// weights: one rpn_head for all maps. After fuse_epilogues.
void fuse_rpn_head(Graph& graph);

// What pays depends on the backend: on the cpu Winograd beats fpn_merge.
struct FusionOptions {
  bool stem = true;
  bool fpn_merge = false;
  bool rpn_head = false;
};

// Epilogues and then what the options name, then shapes again. E_MODEL_ARCH if the result is inconsistent (a bug, since
// the input was not).
Status fuse(Graph& graph, const FusionOptions& options = {});

}  // namespace spinert
