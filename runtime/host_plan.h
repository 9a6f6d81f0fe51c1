// host_plan.h - runs a planned graph on the CPU, one node after the other: backends reference and cpu.
#pragma once

#include "runtime/aligned_buffer.h"
#include "runtime/plan_impl.h"
#include "runtime/value_copies.h"

namespace spinert {

class HostPlan : public PlanImpl {
 public:
  HostPlan(Graph graph, ThreadPool& pool) : PlanImpl(std::move(graph)), pool_(pool) {}

  Tensor tensor(std::string_view name) const override;
  Status run(const RunControl& control) override;
  // For tools: what they wrote over copies of half values counts.
  Status run_node(size_t index) override;
  Tensor value(std::string_view name) const override;
  Status bind(void* arena, void* scratch) override;
  // Instead of bind(): takes constants, packed weights and all memory of a plan of the same nodes, which must be bound
  // and outlive this one. The two then run in turns, each after compute_constants().
  void share(HostPlan& other);
  // Runs the nodes that depend on shapes only.
  void compute_constants();

 private:
  void execute(const PlannedNode& planned);

  ThreadPool& pool_;
  AlignedBuffer memory_;  // of io()
  void* io_ = nullptr;    // in memory_, of this plan or of the one that it shares
  void *arena_ = nullptr, *scratch_ = nullptr;
  mutable ValueCopies copies_;  // of half values
};

}  // namespace spinert
