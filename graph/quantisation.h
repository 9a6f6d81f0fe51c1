// quantisation.h - which values of a graph are stored as codes of u8, and what the codes mean.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "graph/graph.h"

namespace spinert {

// Smallest and largest number of a value over the pictures of a calibration.
struct ValueRange {
  float low = 0, high = 0;
};
using ValueRanges = std::map<std::string, ValueRange, std::less<>>;

// Codes that cover the range: 0 is a code of its own, so that padding and relu lose nothing.
Quantisation codes_of(const ValueRange& range);

// Turns an f32 graph into one of integer sums: maps between layers become u8. conv2d_stem and everything that follows
// it through conv2d, linear, max_pool2d and roi_align store codes, as long as every reader takes codes: conv2d and
// linear as input, conv2d as residual beside an input of codes, max_pool2d, global_average_pool, roi_align (all maps or
// none), anchors (shapes alone). Graph outputs, scores and boxes stay f32, and so does what an operator without codes
// reads. A conv2d or linear with an f32 input stays f32, weights included. keep: names of values that stay f32 besides;
// what is computed from them alone stays f32 if it is kept too, and a conv2d or linear whose output is not kept reads
// their codes, which a node `quantise` in front of it makes.
//
// All types are inferred again; parameters are changed on copies. Errors: E_CONFIG for a value that `ranges` lacks;
// those of Graph::infer.
Status set_quantised_activations(Graph& graph, const ValueRanges& ranges, const std::set<std::string>& keep = {});

}  // namespace spinert
