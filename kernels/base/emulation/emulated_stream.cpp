#include "kernels/base/emulation/emulated_stream.h"

#include <cstring>

#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/race_check.h"
#include "kernels/base/emulation/state.h"

namespace spinert::emulation {
namespace {

// A loop of a plan ends after as many passes as there are chunks.
constexpr int64_t kMostPasses = 1 << 20;

struct EmulatedGraph : CudaGraph {
  std::shared_ptr<Sequence> work;
};

std::string place(const CudaCard& card) {
  return "cuda:" + std::to_string(card.index);
}

}  // namespace

Counters all_counters;

bool Sequence::step() {
  if (next < steps.size() && !steps[next]()) ++next;
  if (next < steps.size()) return true;
  next = 0;
  return false;
}

bool EmulatedStream::in_device_memory(const void* device, int64_t bytes) {
  if (device_valid(device_offset(device), static_cast<size_t>(bytes))) return true;
  fail(
      error(ErrorId::E_VERIFY, "a transfer of " + std::to_string(bytes) + " bytes leaves device memory", place(card_)));
  return false;
}

bool EmulatedStream::allowed(bool here, const char* what) {
  if (!here) fail(error(ErrorId::E_VERIFY, std::string(what) + " at a place where CUDA refuses it", place(card_)));
  return status().ok();
}

void EmulatedStream::enqueue(Work work) {
  if (!status().ok()) return;
  if (!recording_.empty()) {
    recording_.back().push_back([work = std::move(work)] {
      work();
      return false;
    });
    return;
  }
  waiting_.push_back(std::move(work));
  ++enqueued_;
}

void EmulatedStream::advance(int64_t until) {
  while (done_ < until) {
    const Work work = std::move(waiting_.front());
    waiting_.pop_front();
    ++done_;
    const bool outer = std::exchange(device_at_work, true);  // one stream may wait for another
    if (status().ok()) work();
    device_at_work = outer;
  }
}

bool EmulatedStream::count_launch() {
  ++all_counters.launches;
  if (++launches_ != fail_launch_) return true;
  fail(error(ErrorId::E_DEVICE, "launching a kernel: a failure that a test asked for", place(card_)));
  return false;
}

void EmulatedStream::upload(void* device, const void* host, int64_t bytes) {
  if (bytes == 0 || !allowed(recording_.size() < 2, "a copy from the host")) return;
  enqueue([=, this] {
    if (in_device_memory(device, bytes)) std::memcpy(device, host, static_cast<size_t>(bytes));
  });
}

void EmulatedStream::download(void* host, const void* device, int64_t bytes) {
  if (bytes == 0 || !allowed(recording_.size() < 2, "a copy to the host")) return;
  enqueue([=, this] {
    if (in_device_memory(device, bytes)) std::memcpy(host, device, static_cast<size_t>(bytes));
  });
}

void EmulatedStream::copy(void* to, const void* from, int64_t bytes) {
  if (bytes == 0) return;
  enqueue([=, this] {
    const bool valid = in_device_memory(to, bytes) && in_device_memory(from, bytes);
    if (valid) std::memmove(to, from, static_cast<size_t>(bytes));
  });
}

void EmulatedStream::fill(void* device, unsigned char value, int64_t bytes) {
  if (bytes == 0) return;
  enqueue([=, this] {
    if (in_device_memory(device, bytes)) std::memset(device, value, static_cast<size_t>(bytes));
  });
}

Status EmulatedStream::synchronize() {
  if (allowed(recording_.empty(), "a synchronisation")) advance();
  if (const std::string found = take_host_problem(); !found.empty()) {
    fail(error(ErrorId::E_VERIFY, found, place(card_)));
  }
  ++all_counters.synchronisations;
  return status();
}

void EmulatedStream::record(CudaEvent& event) {
  if (!allowed(recording_.empty(), "an event")) return;
  static_cast<EmulatedEvent&>(event).stream = this;
  static_cast<EmulatedEvent&>(event).position = enqueued_;
}

void EmulatedStream::wait(CudaEvent& event) {
  const EmulatedEvent mark = static_cast<EmulatedEvent&>(event);
  if (!allowed(recording_.empty(), "an event") || !mark.stream || mark.stream == this) return;
  enqueue([this, mark] {
    mark.stream->advance(mark.position);
    fail(mark.stream->status());
  });
}

Status EmulatedStream::synchronize(CudaEvent& event) {
  const EmulatedEvent mark = static_cast<EmulatedEvent&>(event);
  if (allowed(recording_.empty(), "a synchronisation") && mark.stream) {
    mark.stream->advance(mark.position);
    fail(mark.stream->status());
  }
  ++all_counters.synchronisations;
  return status();
}

void EmulatedStream::begin_capture() {
  if (allowed(recording_.empty(), "a capture")) recording_.emplace_back();
}

Result<std::unique_ptr<CudaGraph>> EmulatedStream::end_capture() {
  auto graph = std::make_unique<EmulatedGraph>();
  if (!recording_.empty()) graph->work = std::make_shared<Sequence>(std::move(recording_.back()));
  recording_.clear();
  if (!status().ok()) return status();
  return std::unique_ptr<CudaGraph>(std::move(graph));
}

void EmulatedStream::replay(CudaGraph& graph) {
  if (!allowed(recording_.empty(), "launching a graph")) return;
  ++all_counters.replays;
  enqueue([this, work = static_cast<EmulatedGraph&>(graph).work] {
    while (status().ok() && work->step()) continue;
  });
}

void EmulatedStream::repeat_while(const int32_t* condition, const std::function<void()>& body) {
  if (!allowed(!recording_.empty(), "a loop")) return;
  recording_.emplace_back();
  body();
  struct Loop {
    Sequence body;
    int64_t passes = 0;
    bool inside = false;
  };
  auto loop = std::make_shared<Loop>(Sequence{std::move(recording_.back())});
  recording_.pop_back();
  recording_.back().push_back([this, condition, loop] {
    if (loop->inside) {
      loop->inside = loop->body.step();
      return true;
    }
    if (!in_device_memory(condition, sizeof *condition) || *condition == 0) {
      loop->passes = 0;
      return false;
    }
    if (++loop->passes > kMostPasses) {
      fail(error(ErrorId::E_VERIFY, "a loop of a graph does not end", place(card_)));
      return false;
    }
    loop->inside = true;
    return true;
  });
}

// In a capture the lanes take turns in an order drawn from the seed, each going on by one launch, copy or step of a
// loop: lanes that share memory by mistake find there what others wrote. Outside the last lane goes first.
void EmulatedStream::parallel(std::span<const std::function<void()>> lanes) {
  if (recording_.empty()) {
    for (size_t i = lanes.size(); i > 0; --i) lanes[i - 1]();
    return;
  }
  if (lanes.empty()) return;
  struct Lanes {
    std::vector<Sequence> all;
    std::vector<size_t> busy;  // empty: not started
    Random random;
  };
  auto state = std::make_shared<Lanes>();
  for (const auto& lane : lanes) {
    std::vector<Step> before = std::exchange(recording_.back(), {});
    lane();
    state->all.push_back({std::exchange(recording_.back(), std::move(before))});
  }
  recording_.back().push_back([state] {
    if (state->busy.empty()) {
      state->random.seed(current_seed());
      for (size_t i = 0; i < state->all.size(); ++i) state->busy.push_back(i);
    }
    const size_t turn = state->random.below(static_cast<uint32_t>(state->busy.size()));
    if (!state->all[state->busy[turn]].step()) state->busy.erase(state->busy.begin() + static_cast<int64_t>(turn));
    return !state->busy.empty();
  });
}

}  // namespace spinert::emulation
