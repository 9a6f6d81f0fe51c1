#include "runtime/chain_lane.h"

#include <algorithm>

#include "kernels/registry.h"

namespace spinert {
namespace {

Status does_not_fit(const std::string& what, const std::string& name) {
  return error(ErrorId::E_MODEL_ARCH, "the graphs cannot be chained: " + what, name).hint("Convert the model again.");
}

}  // namespace

// Finds the values by name and checks that rows fit.
Status ChainLane::find_values() {
  opened_ = first_.on_device(spec_.opened);
  scores_ = first_.on_device(spec_.scores);
  collected_ = second_.on_device(spec_.collected);
  const Tensor chunk_count = second_.on_device(spec_.chunk_count);
  if (opened_.dtype != DType::f32 || opened_.shape.rank != 4) return does_not_fit("no picture input", spec_.opened);
  if (scores_.dtype != DType::f32 || scores_.shape.rank != 1) return does_not_fit("no list of scores", spec_.scores);
  if (chunk_count.dtype != DType::i32 || chunk_count.elements() != 1) {
    return does_not_fit("no count of rows", spec_.chunk_count);
  }
  state_.capacity = static_cast<int32_t>(scores_.shape[0]);
  state_.chunk = 0;
  if (spec_.rows.empty() || spec_.rows.size() > kMostRowCopies) return does_not_fit("no rows to feed", spec_.second);
  for (size_t i = 0; i < spec_.rows.size(); ++i) {
    const Tensor from = first_.on_device(spec_.rows[i].first), to = second_.on_device(spec_.rows[i].second);
    if (!from.data || !to.data || from.dtype != to.dtype || from.shape.rank < 1 || from.shape.rank != to.shape.rank ||
        from.shape[0] != state_.capacity || to.shape[0] < 1) {
      return does_not_fit("rows differ", spec_.rows[i].second);
    }
    const int64_t row = from.bytes() / std::max<int64_t>(1, from.shape[0]);
    if (row % 4 != 0 || row != to.bytes() / to.shape[0] || (state_.chunk > 0 && state_.chunk != to.shape[0])) {
      return does_not_fit("rows differ", spec_.rows[i].second);
    }
    state_.chunk = static_cast<int32_t>(to.shape[0]);
    take_[i] = {from.data, to.data, row};
  }
  if (!collected_.data || collected_.shape.rank < 1 || collected_.shape[0] != state_.chunk * collected_.count_scale ||
      collected_.bytes() / state_.chunk % 4 != 0) {
    return does_not_fit("results of a row", spec_.collected);
  }
  for (const auto& [from, to] : spec_.whole) {
    const Tensor a = first_.on_device(from), b = second_.on_device(to);
    if (!a.data || !b.data || a.dtype != b.dtype || a.shape != b.shape) return does_not_fit("inputs differ", to);
  }
  state_.in_chunk = chunk_count.i32();
  return {};
}

Status ChainLane::open() {
  SPINERT_TRY(find_values());
  const int64_t result_bytes = collected_.bytes() / state_.chunk;  // of one fed row
  collected_bytes_ = aligned(result_bytes * state_.capacity, kDeviceAlignment);
  block_bytes_ = integer_offset(kIntegers);
  SPINERT_ASSIGN(block_, device_.allocate(block_bytes_));
  device_.stream().fill(block_, 0, block_bytes_);
  give_[0] = {collected_.data, block_, result_bytes};
  state_.total = integer_on_card(kTotal);
  state_.next = integer_on_card(kNext);
  state_.more = integer_on_card(kMore);
  for (Slot& slot : slots_) {
    SPINERT_ASSIGN(void* pixels, device_.allocate_pinned(opened_.bytes()));
    SPINERT_ASSIGN(void* results, device_.allocate_pinned(first_bytes() + block_bytes_));
    SPINERT_ASSIGN(slot.on_card, device_.allocate(opened_.bytes()));
    slot.pixels = static_cast<float*>(pixels);
    slot.results = static_cast<unsigned char*>(results);
    std::fill_n(slot.results, first_bytes() + block_bytes_, static_cast<unsigned char>(0));
  }
  return {};
}

// The operators around the graphs need no packing and no scratch.
Status ChainLane::find_kernel(OpId op, const OpCall& call, const KernelInfo*& kernel) const {
  kernel = choose_kernel(op, Backend::cuda, limit_, call);
  if (kernel && !kernel->kernel->packed_bytes && !kernel->kernel->scratch_bytes) return {};
  return error(ErrorId::E_DEVICE, "no kernel takes operator " + std::string(op_info(op).name),
               "between graphs " + spec_.first + " and " + spec_.second);
}

void ChainLane::upload(CudaStream& uploads, int slot, int64_t height, int64_t width) {
  first_.forget_copies();
  second_.forget_copies();
  uploads.upload(slots_[slot].on_card, slots_[slot].pixels, height * width * size_of(DType::f32));
}

Status ChainLane::enqueue(int slot_number, int64_t height, int64_t width) {
  const Slot& slot = slots_[slot_number];
  CudaStream& stream = device_.stream();
  const RunContext context{.stream = &stream};
  Tensor picture = opened_;
  picture.data = slot.on_card;
  picture.shape = {1, height, width, 1};
  const OpCall opening{spec_.opening_params.get(), {&picture, 1}, {&opened_, 1}};
  Tensor total;
  total.data = integer_on_card(kTotal);
  total.dtype = DType::i32;
  total.shape = {1};
  const OpCall counting{&threshold_, {&scores_, 1}, {&total, 1}};
  const KernelInfo *open_kernel = nullptr, *count_kernel = nullptr;
  SPINERT_TRY(find_kernel(spec_.opening, opening, open_kernel));
  SPINERT_TRY(find_kernel(OpId::count_above, counting, count_kernel));

  open_kernel->kernel->run(opening, context);
  first_.enqueue();
  for (const auto& [from, to] : spec_.whole) {
    const Tensor source = first_.on_device(from);
    stream.copy(second_.on_device(to).data, source.data, source.bytes());
  }
  count_kernel->kernel->run(counting, context);
  enqueue_chunks_begin(stream, state_);
  stream.repeat_while(state_.more, [&] {
    enqueue_chunk_take(stream, state_, take_);
    second_.enqueue();
    enqueue_chunk_give(stream, state_, give_);
  });
  stream.download(slot.results, first_.results(), first_.io().results - first_.io().inputs);
  stream.download(slot.results + first_bytes(), block_, block_bytes_);
  return {};
}

Tensor ChainLane::value(int slot, std::string_view name) const {
  const int64_t offset = first_.offset_in_results(name);
  if (offset < 0) return {};
  Tensor view = first_.value(name);
  view.data = slots_[slot].results + offset;
  // A count that is an input stays where the caller wrote it.
  const auto count = reinterpret_cast<const unsigned char*>(view.count) - first_.results_mirror();
  if (view.count && count >= 0) view.count = reinterpret_cast<const int32_t*>(slots_[slot].results + count);
  return view;
}

Tensor ChainLane::collected(int slot) const {
  Tensor view = collected_;
  view.data = slots_[slot].results + first_bytes();
  view.shape[0] = state_.capacity * collected_.count_scale;
  view.count = integer(slot, kTotal);
  return view;
}

int64_t ChainLane::fed_rows(int slot) const {
  return std::clamp<int64_t>(*integer(slot, kTotal), 0, state_.capacity);
}

}  // namespace spinert
