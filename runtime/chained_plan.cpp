#include "runtime/chained_plan.h"

#include <algorithm>
#include <functional>

#include "runtime/chain_lane.h"
#include "runtime/chained_plan_impl.h"

namespace spinert {
namespace {

// Graphs of two picture sizes or four in each slot: a study has one size, rarely two.
constexpr size_t kMostGraphs = 8;

class ChainedPlanImpl : public ChainedPlan {
 public:
  ChainedPlanImpl(ChainSpec spec, CudaDevice& device) : spec_(std::move(spec)), device_(device) {}

  Status open(Level limit, std::span<const PlanPair> lanes);

  int lanes() const override { return static_cast<int>(lanes_.size()); }
  float* picture(int slot, int lane) override { return at(lane).picture(slot); }
  Status stopped(const RunControl& control) const override { return at(0).stopped(control); }
  Status submit(int slot, int64_t height, int64_t width, const RunControl& control, int pictures) override;
  Status wait(int slot) override;
  Tensor value(int slot, std::string_view name, int lane) const override { return at(lane).value(slot, name); }
  Tensor collected(int slot, int lane) const override { return at(lane).collected(slot); }
  int64_t fed_rows(int slot, int lane) const override { return at(lane).fed_rows(slot); }
  int64_t device_bytes() const override { return lanes() * at(0).device_bytes(); }

 private:
  struct Slot {
    std::unique_ptr<CudaEvent> uploaded, done;
    bool running = false;
  };
  struct Recorded {
    int64_t height, width;
    int pictures, slot;
    uint64_t last_used;
    std::unique_ptr<CudaGraph> graph;
  };

  ChainLane& at(int lane) const { return *lanes_[static_cast<size_t>(lane)]; }
  Result<CudaGraph*> graph(int slot, int64_t height, int64_t width, int pictures);
  Status record(int slot, int64_t height, int64_t width, int pictures);

  const ChainSpec spec_;
  CudaDevice& device_;
  std::vector<std::unique_ptr<ChainLane>> lanes_;
  std::unique_ptr<CudaStream> uploads_;
  Slot slots_[kSlots];
  std::vector<Recorded> recorded_;
  uint64_t uses_ = 0;
};

Status ChainedPlanImpl::open(Level limit, std::span<const PlanPair> lanes) {
  for (const auto& [first, second] : lanes) {
    lanes_.push_back(std::make_unique<ChainLane>(spec_, device_, limit, *first, *second));
    SPINERT_TRY(lanes_.back()->open());
  }
  for (Slot& slot : slots_) {
    SPINERT_ASSIGN(slot.uploaded, device_.create_event());
    SPINERT_ASSIGN(slot.done, device_.create_event());
  }
  SPINERT_ASSIGN(uploads_, device_.create_stream());
  return device_.stream().synchronize();
}

Status ChainedPlanImpl::record(int slot, int64_t height, int64_t width, int pictures) {
  CudaStream& stream = device_.stream();
  Status enqueued;
  std::vector<std::function<void()>> works;
  for (int lane = 0; lane < pictures; ++lane) {
    works.push_back([&, lane] {
      if (enqueued.ok()) enqueued = at(lane).enqueue(slot, height, width);
    });
  }
  stream.begin_capture();
  pictures == 1 ? works[0]() : stream.parallel(works);
  Result<std::unique_ptr<CudaGraph>> graph = stream.end_capture();
  SPINERT_TRY(enqueued);
  if (!graph.ok()) return graph.status();
  if (recorded_.size() == kMostGraphs) {
    // A graph that is still running belongs to the other slot and was used after all but this one.
    recorded_.erase(std::ranges::min_element(recorded_, {}, &Recorded::last_used));
  }
  recorded_.push_back({height, width, pictures, slot, 0, std::move(graph).value()});
  return {};
}

Result<CudaGraph*> ChainedPlanImpl::graph(int slot, int64_t height, int64_t width, int pictures) {
  const auto find = [&] {
    return std::ranges::find_if(recorded_, [&](const Recorded& r) {
      return r.slot == slot && r.height == height && r.width == width && r.pictures == pictures;
    });
  };
  if (find() == recorded_.end()) SPINERT_TRY(record(slot, height, width, pictures));
  const auto it = find();
  it->last_used = ++uses_;
  return it->graph.get();
}

Status ChainedPlanImpl::submit(int slot_number, int64_t height, int64_t width, const RunControl& control,
                               int pictures) {
  Slot& slot = slots_[slot_number];
  if (slot.running) return error(ErrorId::E_INTERNAL, "a slot was submitted twice");
  if (pictures < 1 || pictures > lanes() || !at(0).fits(height, width)) {
    return error(ErrorId::E_INTERNAL, "the pictures do not fit a slot");
  }
  SPINERT_TRY(stopped(control));
  CudaStream& stream = device_.stream();
  SPINERT_ASSIGN(CudaGraph* const recorded, graph(slot_number, height, width, pictures));
  for (int lane = 0; lane < pictures; ++lane) at(lane).upload(*uploads_, slot_number, height, width);
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

}  // namespace

Result<std::unique_ptr<ChainedPlan>> chain_plans(const ChainSpec& spec, CudaDevice& device, Level limit,
                                                 std::span<const PlanPair> lanes) {
  auto plan = std::make_unique<ChainedPlanImpl>(spec, device);
  SPINERT_TRY(plan->open(limit, lanes));
  return std::unique_ptr<ChainedPlan>(std::move(plan));
}

}  // namespace spinert
