// graph_runner.h - runs a graph with the reference kernels, node by node and without the runtime: for tests of
// rewrites, which need graphs that no engine option makes.
#pragma once

#include <string>
#include <vector>

#include "graph/graph.h"
#include "tests/ops/op_case.h"
#include "weights/model_file.h"

namespace spinert {

// The graph of that name, as stored in the model.
Result<Graph> stored_graph(const ModelFile& model, const std::string& name);

class GraphRunner {
 public:
  // Takes memory for every value, reads the stored constants and computes the derived ones.
  static Result<GraphRunner> create(const ModelFile& model, Graph graph);

  // A value by its name; not present if the graph has none.
  Tensor value(std::string_view name) const;
  Status run();

 private:
  Graph graph_;
  std::vector<cases::Buffer> memory_;  // by value number
  std::vector<Tensor> values_;
};

}  // namespace spinert
