#include "runtime/host_plan.h"

namespace spinert {

Status HostPlan::bind(void* arena, void* scratch) {
  SPINERT_ASSIGN(memory_, AlignedBuffer::allocate(io().total));
  io_ = memory_.data();
  arena_ = arena;
  scratch_ = scratch;
  bind_values(arena_, io_);
  compute_constants();
  return {};
}

void HostPlan::share(HostPlan& other) {
  io_ = other.io_;
  arena_ = other.arena_;
  scratch_ = other.scratch_;
  for (const Value& value : graph_.values) {
    if (value.kind == Value::Kind::constant) set_constant(value.type.self, other.constant(value.type.self));
  }
  for (PlannedNode& node : nodes_) {
    if (node.packed_bytes > 0) node.packed = other.packed_form(node);
  }
  bind_values(arena_, io_);
}

void HostPlan::compute_constants() {
  for (const PlannedNode& planned : nodes_) {
    if (planned.constant) execute(planned);
  }
}

void HostPlan::execute(const PlannedNode& planned) {
  planned.kernel->kernel->run(planned.call(), {.pool = &pool_, .packed = planned.packed, .scratch = scratch_});
}

Status HostPlan::run_node(size_t index) {
  execute(nodes_[index]);
  return {};
}

Status HostPlan::run(const RunControl& control) {
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].constant) continue;
    SPINERT_TRY(check_control(control, n));
    execute(nodes_[n]);
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
