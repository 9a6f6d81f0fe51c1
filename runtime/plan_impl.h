// plan_impl.h - a graph made ready to run: kernels chosen, memory placed, constants bound. Internal to the runtime.
#pragma once

#include "graph/graph.h"
#include "runtime/aligned_buffer.h"
#include "runtime/device.h"
#include "runtime/engine.h"
#include "runtime/memory_planner.h"

namespace spinert {

// One node with everything that run() needs.
struct PlannedNode {
  const Node* node = nullptr;
  const KernelInfo* kernel = nullptr;
  std::vector<Tensor> in, out;
  const void* packed = nullptr;
  int64_t packed_bytes = 0, scratch_bytes = 0;
  bool constant = false;  // depends on shapes only

  OpCall call() const { return {node->params.get(), in, out}; }
};

class PlanImpl : public Plan {
 public:
  // Chooses kernels and plans memory for a graph; no memory is taken yet. E_DEVICE if no kernel takes a node.
  static Result<std::unique_ptr<PlanImpl>> create(Graph graph, const Device& device, ThreadPool& pool);

  Tensor tensor(std::string_view name) const override;
  Status run(const RunControl& control) override;
  const std::vector<NodeInfo>& nodes() const override { return infos_; }
  void run_node(size_t index) override;
  Tensor value(std::string_view name) const override;
  double tolerance(size_t index, double& relative) const override;

  // For the engine that opens the model.
  const Graph& graph() const { return graph_; }
  std::vector<PlannedNode>& planned() { return nodes_; }
  ArenaSize arena_size() const { return arena_size_; }
  int64_t io_bytes() const { return io_bytes_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  // Takes the plan's own memory and binds every value. arena and scratch are shared by all plans of an engine.
  Status bind(void* arena, void* scratch);
  // Gives a constant its data; before bind().
  void set_constant(int number, const Tensor& tensor) { values_[static_cast<size_t>(number)] = tensor; }
  Tensor constant(int number) const { return values_[static_cast<size_t>(number)]; }
  // Runs the nodes that depend on shapes only; after bind().
  void run_constant_nodes();

 private:
  PlanImpl(Graph graph, ThreadPool& pool) : graph_(std::move(graph)), pool_(pool) {}
  Status choose_kernels(const Device& device);
  void plan_memory();
  bool persistent(const Value& value) const;

  Graph graph_;
  ThreadPool& pool_;
  std::vector<PlannedNode> nodes_;
  std::vector<NodeInfo> infos_;
  std::vector<Tensor> values_;    // by value number
  std::vector<int64_t> offsets_;  // by value number: in the arena, or in io_ if persistent; -1: constant or unused
  AlignedBuffer io_;
  void* scratch_ = nullptr;
  ArenaSize arena_size_;
  int64_t io_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace spinert
