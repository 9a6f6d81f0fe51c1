#include "runtime/host_plan.h"

namespace spinert {

Status HostPlan::bind(void* arena, void* scratch) {
  SPINERT_ASSIGN(memory_, AlignedBuffer::allocate(io().total));
  scratch_ = scratch;
  bind_values(arena, memory_.data());
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].constant) SPINERT_TRY(run_node(n));
  }
  return {};
}

Status HostPlan::run_node(size_t index) {
  const PlannedNode& planned = nodes_[index];
  planned.kernel->kernel->run(planned.call(), {.pool = &pool_, .packed = planned.packed, .scratch = scratch_});
  return {};
}

Status HostPlan::run(const RunControl& control) {
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].constant) continue;
    SPINERT_TRY(check_control(control, n));
    SPINERT_TRY(run_node(n));
  }
  return {};
}

Tensor HostPlan::tensor(std::string_view name) const {
  const int number = find_io(name);
  return number == kAbsent ? Tensor{} : values_[static_cast<size_t>(number)];
}

Tensor HostPlan::value(std::string_view name) const {
  const int number = graph_.find(name);
  return number == kAbsent ? Tensor{} : values_[static_cast<size_t>(number)];
}

double HostPlan::tolerance(size_t index, double& relative) const {
  const Tolerance tolerance = nodes_[index].node->op->tolerance(nodes_[index].call());
  relative = tolerance.relative;
  return tolerance.absolute;
}

}  // namespace spinert
