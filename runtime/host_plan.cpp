#include "runtime/host_plan.h"

#include "kernels/base/half.h"

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
  const PlannedNode& planned = nodes_[index];
  for (size_t i = 0; i < planned.in.size(); ++i) {
    const ValueCopies::Copy* copy = copies_.fresh(planned.node->in[i]);
    if (copy) ValueCopies::narrow(static_cast<const float*>(copy->memory.data()), planned.in[i]);
  }
  execute(planned);
  copies_.forget(planned.node->out);
  return {};
}

Status HostPlan::run(const RunControl& control) {
  copies_.forget_all();
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
  if (number == kAbsent) return {};
  Tensor view = values_[static_cast<size_t>(number)];
  if (!is_half(view.dtype) || !view.data) return view;
  const Tensor half = view;
  view.dtype = DType::f32;
  view.data = nullptr;
  ValueCopies::Copy* copy = copies_.of(number, view.bytes());
  if (!copy) return view;
  view.data = copy->memory.data();
  if (!copy->fresh) ValueCopies::widen(half, view.f32());
  copy->fresh = true;
  return view;
}

}  // namespace spinert
