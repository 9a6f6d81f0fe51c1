// graph_model.h - small model files around graphs that a test builds, for what the converter would never write.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"

namespace spinert::graph_model {

// A stored F32 tensor, filled with the numbers of one stream of the test generator.
struct Stored {
  std::string name;  // "<graph>.<constant>"
  std::vector<uint64_t> shape;
};

// Writes a model with that text as spinert.graph and with right hashes, whatever the text says.
Status write(const std::string& path, const std::string& graphs, const std::vector<Stored>& tensors);

// Writes a model of one graph: its JSON, and a tensor for each constant.
Status write(const std::string& path, const Graph& graph);

}  // namespace spinert::graph_model
