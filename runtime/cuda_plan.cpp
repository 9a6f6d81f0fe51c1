#include "runtime/cuda_plan.h"

#include <algorithm>
#include <cstring>

#include "kernels/base/half.h"

namespace spinert {

// What belongs to the other plan's memory is left out; bind() gives every value that is no constant a new address.
CudaPlan::CudaPlan(const CudaPlan& other) : PlanImpl(other), device_(other.device_) {
  for (size_t n = 0; n < nodes_.size(); ++n) nodes_[n].node = &graph_.nodes[n];
}

Status CudaPlan::bind(void* arena, void* scratch) {
  SPINERT_ASSIGN(void* memory, device_.allocate(io().total));
  SPINERT_ASSIGN(void* pinned, device_.allocate_pinned(io().results));
  io_memory_ = static_cast<unsigned char*>(memory);
  mirror_ = static_cast<unsigned char*>(pinned);
  scratch_ = scratch;
  std::memset(mirror_, 0, static_cast<size_t>(io().results));
  device_.stream().fill(io_memory_, 0, io().total);
  bind_values(arena, io_memory_);
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].constant) enqueue_node(n);
  }
  return device_.stream().synchronize();
}

void CudaPlan::enqueue_node(size_t index) {
  const PlannedNode& planned = nodes_[index];
  planned.kernel->kernel->run(planned.call(),
                              {.stream = &device_.stream(), .packed = planned.packed, .scratch = scratch_});
}

void CudaPlan::enqueue() {
  for (size_t n = 0; n < nodes_.size(); ++n) {
    if (!nodes_[n].constant) enqueue_node(n);
  }
}

Status CudaPlan::run(const RunControl& control) {
  SPINERT_TRY(check_control(control, 0));
  CudaStream& stream = device_.stream();
  if (!recorded_) {
    stream.begin_capture();
    stream.upload(io_memory_, mirror_, io().inputs);
    enqueue();
    stream.download(mirror_ + io().inputs, io_memory_ + io().inputs, io().results - io().inputs);
    SPINERT_ASSIGN(recorded_, stream.end_capture());
  }
  forget_copies();
  stream.replay(*recorded_);
  return stream.synchronize();
}

void CudaPlan::forget_copies() {
  copies_.forget_all();
}

// Inputs, outputs, counts and flags have mirrors of their own.
bool CudaPlan::mirrored(int number) const {
  const auto v = static_cast<size_t>(number);
  return offsets_[v] >= 0 && offsets_[v] < io().results && persistent(graph_.values[v]);
}

Tensor CudaPlan::mirror_of(int number) const {
  Tensor view = values_[static_cast<size_t>(number)];
  view.data = mirror_ + offsets_[static_cast<size_t>(number)];
  const int count = graph_.value(number).type.count;
  if (count != kAbsent) view.count = mirror_of(count).i32();
  return view;
}

Tensor CudaPlan::tensor(std::string_view name) const {
  const int number = find_io(name);
  return number == kAbsent ? Tensor{} : mirror_of(number);
}

Tensor CudaPlan::value(std::string_view name) const {
  const int number = graph_.find(name);
  if (number == kAbsent) return {};
  if (mirrored(number)) return mirror_of(number);
  Tensor view = values_[static_cast<size_t>(number)];
  const int count = graph_.value(number).type.count;
  if (count != kAbsent) view.count = mirror_of(count).i32();
  const void* const on_card = view.data;
  view.data = nullptr;
  if (!on_card || graph_.value(number).kind == Value::Kind::constant) return view;
  const int64_t bytes = view.bytes();
  const bool half = is_half(view.dtype);
  ValueCopies::Copy* copy = copies_.of(number, half ? 2 * bytes : bytes);
  if (!copy) return view;
  Tensor narrow = view;
  if (half) narrow_.resize(static_cast<size_t>(bytes));
  narrow.data = narrow_.data();
  view.data = copy->memory.data();
  if (half) view.dtype = DType::f32;
  if (!copy->fresh) {
    CudaStream& stream = device_.stream();
    stream.download(half ? narrow.data : view.data, on_card, bytes);
    if (!stream.synchronize().ok()) return view;  // the stream keeps the error for the next call that can tell
    if (half) ValueCopies::widen(narrow, view.f32());
    copy->fresh = true;
  }
  return view;
}

// What the caller may have written, over what the node reads.
void CudaPlan::upload_mirrors(const PlannedNode& planned) {
  CudaStream& stream = device_.stream();
  stream.upload(io_memory_, mirror_, io().results);
  for (size_t i = 0; i < planned.in.size(); ++i) {
    const ValueCopies::Copy* copy = copies_.fresh(planned.node->in[i]);
    if (!copy) continue;
    const Tensor& view = planned.in[i];
    if (!is_half(view.dtype)) {
      stream.upload(view.data, copy->memory.data(), view.bytes());
      continue;
    }
    narrow_.resize(static_cast<size_t>(view.bytes()));
    Tensor narrow = view;
    narrow.data = narrow_.data();
    ValueCopies::narrow(static_cast<const float*>(copy->memory.data()), narrow);
    stream.upload(view.data, narrow.data, view.bytes());
    if (!stream.synchronize().ok()) return;  // narrow_ is used again
  }
}

Status CudaPlan::run_node(size_t index) {
  const PlannedNode& planned = nodes_[index];
  upload_mirrors(planned);
  enqueue_node(index);
  copies_.forget(planned.node->out);
  CudaStream& stream = device_.stream();
  stream.download(mirror_, io_memory_, io().results);
  return stream.synchronize();
}

Tensor CudaPlan::on_device(std::string_view name) const {
  const int number = graph_.find(name);
  return number == kAbsent ? Tensor{} : values_[static_cast<size_t>(number)];
}

const void* CudaPlan::results() const {
  return io_memory_ + io().inputs;
}

int64_t CudaPlan::offset_in_results(std::string_view name) const {
  const int number = graph_.find(name);
  if (number == kAbsent || !mirrored(number)) return -1;
  return std::max<int64_t>(-1, offsets_[static_cast<size_t>(number)] - io().inputs);
}

}  // namespace spinert
