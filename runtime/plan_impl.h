// plan_impl.h - a graph made ready to run: kernels chosen, memory placed, constants bound. Internal to the runtime.
// What host and device plans share; host_plan.h and cuda_plan.h run it.
#pragma once

#include "graph/graph.h"
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
  // Whether the kernel packs its weight, and whether two nodes can read one packed form.
  bool packs() const { return kernel->kernel->packed_bytes && node->in.size() > kPackedInput; }
  bool same_form(const PlannedNode& o) const {
    return kernel == o.kernel && in[0].dtype == o.in[0].dtype && node->in[kPackedInput] == o.node->in[kPackedInput];
  }
};

// The memory of values that outlive the nodes around them, as ends of its parts: what the caller writes, what the
// caller reads (outputs, counts and flags), what is computed once when the plan is bound.
struct IoParts {
  int64_t inputs = 0, results = 0, total = 0;
};

class PlanImpl : public Plan {
 public:
  // Chooses kernels and plans memory for a graph; no memory is taken yet. E_DEVICE if no kernel takes a node.
  static Result<std::unique_ptr<PlanImpl>> create(Graph graph, const Device& device, ThreadPool& pool);

  // Whether the device has a kernel of that level or a higher one for every node of this operator, and would choose it.
  static bool has_kernels(const Graph& graph, OpId op, const Device& device, Level least = Level::any);

  const std::vector<NodeInfo>& nodes() const override { return infos_; }
  double tolerance(size_t index, double& relative) const override;

  // For the engine that opens the model.
  const Graph& graph() const { return graph_; }
  std::vector<PlannedNode>& planned() { return nodes_; }
  // Nodes that never run here: what the plan of another size has in the place of one of planned(), so that its weight
  // is loaded for that plan too (size_classes.h).
  std::vector<PlannedNode>& spare() { return spare_; }
  // The packed weight of a node with the same numbers of values; null if neither planned() nor spare() has its form.
  const void* packed_form(const PlannedNode& node) const;
  ArenaSize arena_size() const { return arena_size_; }
  const IoParts& io() const { return io_; }
  int64_t scratch_bytes() const { return scratch_bytes_; }
  // Takes the plan's own memory and binds every value, then runs the nodes that depend on shapes only. arena and
  // scratch are shared by all plans of an engine and lie where the kernels run.
  virtual Status bind(void* arena, void* scratch) = 0;
  // Gives a constant its data; before bind().
  void set_constant(int number, const Tensor& tensor) { values_[static_cast<size_t>(number)] = tensor; }
  Tensor constant(int number) const { return values_[static_cast<size_t>(number)]; }

 protected:
  explicit PlanImpl(Graph graph) : graph_(std::move(graph)) {}
  PlanImpl(const PlanImpl&) = default;  // nodes_ still point to the nodes of the other graph
  // workers: what scratch_bytes() of the kernels counts, threads or multiprocessors.
  Status prepare(const Device& device, int workers, int64_t alignment);
  // Gives every value its address. io: io().total bytes.
  void bind_values(void* arena, void* io);
  // E_CANCELLED or E_TIMEOUT if the caller wants the run to end before this node.
  Status check_control(const RunControl& control, size_t node) const;
  // The number of an input or output of the graph, else kAbsent.
  int find_io(std::string_view name) const;
  bool persistent(const Value& value) const;

  Graph graph_;
  std::vector<PlannedNode> nodes_, spare_;
  std::vector<NodeInfo> infos_;
  std::vector<Tensor> values_;    // by value number, with the addresses that kernels see
  std::vector<int64_t> offsets_;  // by value number: in the arena, or in io if persistent; -1: constant or unused

 private:
  Status choose_kernels(const Device& device, int workers);
  void plan_memory(int64_t alignment);

  ArenaSize arena_size_;
  IoParts io_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace spinert
