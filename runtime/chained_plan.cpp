#include "runtime/chained_plan.h"

#include <algorithm>

#include "kernels/base/chunks.h"
#include "kernels/count_above/count_above.h"
#include "runtime/chained_plan_impl.h"

namespace spinert {
namespace {

// Graphs of two picture sizes or four in each slot: a study has one size, rarely two.
constexpr size_t kMostGraphs = 8;

Status does_not_fit(const std::string& what, const std::string& name) {
  return error(ErrorId::E_MODEL_ARCH, "the graphs cannot be chained: " + what, name).hint("Convert the model again.");
}

class ChainedPlanImpl : public ChainedPlan {
 public:
  ChainedPlanImpl(ChainSpec spec, CudaDevice& device, Level limit, CudaPlan& first, CudaPlan& second)
      : spec_(std::move(spec)),
        threshold_{.threshold = spec_.threshold},
        device_(device),
        limit_(limit),
        first_(first),
        second_(second) {}

  Status open();

  float* picture(int slot) override { return slots_[slot].pixels; }
  Status submit(int slot, int64_t height, int64_t width, const RunControl& control) override;
  Status wait(int slot) override;
  Tensor value(int slot, std::string_view name) const override;
  Tensor collected(int slot) const override;
  int64_t fed_rows(int slot) const override { return std::clamp<int64_t>(*integer(slot, kTotal), 0, state_.capacity); }
  int64_t device_bytes() const override { return block_bytes_ + kSlots * opened_.bytes(); }

 private:
  // The integers at the end of the block, each on a line of its own.
  enum Integer { kTotal, kNext, kMore, kIntegers };

  struct Slot {
    float* pixels = nullptr;           // pinned
    void* on_card = nullptr;           // the same there
    unsigned char* results = nullptr;  // pinned: results of the first plan, then the block
    std::unique_ptr<CudaEvent> uploaded, done;
    bool running = false;
  };
  struct Recorded {
    int64_t height, width;
    int slot;
    uint64_t last_used;
    std::unique_ptr<CudaGraph> graph;
  };

  Status find_values();
  Status find_kernel(OpId op, const OpCall& call, const KernelInfo*& kernel) const;
  Result<CudaGraph*> graph(int slot, int64_t height, int64_t width);
  Status record(int slot, int64_t height, int64_t width);
  int64_t first_bytes() const { return aligned(first_.io().results - first_.io().inputs, kDeviceAlignment); }
  int64_t integer_offset(Integer which) const { return collected_bytes_ + which * kDeviceAlignment; }
  int32_t* integer_on_card(Integer which) const {
    return reinterpret_cast<int32_t*>(static_cast<unsigned char*>(block_) + integer_offset(which));
  }
  const int32_t* integer(int slot, Integer which) const {
    return reinterpret_cast<const int32_t*>(slots_[slot].results + first_bytes() + integer_offset(which));
  }

  const ChainSpec spec_;
  const CountAboveParams threshold_;
  CudaDevice& device_;
  const Level limit_;
  CudaPlan &first_, &second_;
  Tensor opened_, scores_, collected_;  // on the card
  RowCopies take_{}, give_{};
  ChunkState state_;
  void* block_ = nullptr;  // on the card: collected rows, then the integers
  int64_t collected_bytes_ = 0, block_bytes_ = 0;
  std::unique_ptr<CudaStream> uploads_;
  Slot slots_[kSlots];
  std::vector<Recorded> recorded_;
  uint64_t uses_ = 0;
};

// Finds the values by name and checks that rows fit.
Status ChainedPlanImpl::find_values() {
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

Status ChainedPlanImpl::open() {
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
    SPINERT_ASSIGN(slot.uploaded, device_.create_event());
    SPINERT_ASSIGN(slot.done, device_.create_event());
    slot.pixels = static_cast<float*>(pixels);
    slot.results = static_cast<unsigned char*>(results);
    std::fill_n(slot.results, first_bytes() + block_bytes_, static_cast<unsigned char>(0));
  }
  SPINERT_ASSIGN(uploads_, device_.create_stream());
  return device_.stream().synchronize();
}

// The operators around the graphs need no packing and no scratch.
Status ChainedPlanImpl::find_kernel(OpId op, const OpCall& call, const KernelInfo*& kernel) const {
  kernel = choose_kernel(op, Backend::cuda, limit_, call);
  if (kernel && !kernel->kernel->packed_bytes && !kernel->kernel->scratch_bytes) return {};
  return error(ErrorId::E_DEVICE, "no kernel takes operator " + std::string(op_info(op).name),
               "between graphs " + spec_.first + " and " + spec_.second);
}

Status ChainedPlanImpl::record(int slot_number, int64_t height, int64_t width) {
  Slot& slot = slots_[slot_number];
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

  stream.begin_capture();
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
  SPINERT_ASSIGN(std::unique_ptr<CudaGraph> graph, stream.end_capture());
  if (recorded_.size() == kMostGraphs) {
    // A graph that is still running belongs to the other slot and was used after all but this one.
    recorded_.erase(std::ranges::min_element(recorded_, {}, &Recorded::last_used));
  }
  recorded_.push_back({height, width, slot_number, 0, std::move(graph)});
  return {};
}

Result<CudaGraph*> ChainedPlanImpl::graph(int slot, int64_t height, int64_t width) {
  const auto find = [&] {
    return std::ranges::find_if(
        recorded_, [&](const Recorded& r) { return r.slot == slot && r.height == height && r.width == width; });
  };
  if (find() == recorded_.end()) SPINERT_TRY(record(slot, height, width));
  const auto it = find();
  it->last_used = ++uses_;
  return it->graph.get();
}

Status ChainedPlanImpl::submit(int slot_number, int64_t height, int64_t width, const RunControl& control) {
  Slot& slot = slots_[slot_number];
  if (slot.running) return error(ErrorId::E_INTERNAL, "a slot was submitted twice");
  if (height < 1 || width < 1 || height > opened_.shape[1] || width > opened_.shape[2]) {
    return error(ErrorId::E_INTERNAL, "the picture does not fit a slot");
  }
  SPINERT_TRY(first_.stopped(control));
  CudaStream& stream = device_.stream();
  SPINERT_ASSIGN(CudaGraph* const recorded, graph(slot_number, height, width));
  first_.forget_copies();
  second_.forget_copies();
  uploads_->upload(slot.on_card, slot.pixels, height * width * size_of(DType::f32));
  uploads_->record(*slot.uploaded);
  stream.wait(*slot.uploaded);
  stream.replay(*recorded);
  stream.record(*slot.done);
  stream.fail(uploads_->status());
  slot.running = stream.status().ok();
  return stream.status();
}

Status ChainedPlanImpl::wait(int slot_number) {
  Slot& slot = slots_[slot_number];
  if (!slot.running) return error(ErrorId::E_INTERNAL, "nothing was submitted");
  slot.running = false;
  return device_.stream().synchronize(*slot.done);
}

Tensor ChainedPlanImpl::value(int slot, std::string_view name) const {
  const int64_t offset = first_.offset_in_results(name);
  if (offset < 0) return {};
  Tensor view = first_.value(name);
  view.data = slots_[slot].results + offset;
  // A count that is an input stays where the caller wrote it.
  const auto count = reinterpret_cast<const unsigned char*>(view.count) - first_.results_mirror();
  if (view.count && count >= 0) view.count = reinterpret_cast<const int32_t*>(slots_[slot].results + count);
  return view;
}

Tensor ChainedPlanImpl::collected(int slot) const {
  Tensor view = collected_;
  view.data = slots_[slot].results + first_bytes();
  view.shape[0] = state_.capacity * collected_.count_scale;
  view.count = integer(slot, kTotal);
  return view;
}

}  // namespace

Result<std::unique_ptr<ChainedPlan>> chain_plans(const ChainSpec& spec, CudaDevice& device, Level limit,
                                                 CudaPlan& first, CudaPlan& second) {
  auto plan = std::make_unique<ChainedPlanImpl>(spec, device, limit, first, second);
  SPINERT_TRY(plan->open());
  return std::unique_ptr<ChainedPlan>(std::move(plan));
}

}  // namespace spinert
