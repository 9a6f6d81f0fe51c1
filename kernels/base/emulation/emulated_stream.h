// emulated_stream.h - CudaStream without a card. Work is kept until somebody waits for it, so that memory that changes
// too early shows in the results; a recorded graph is the list of its work.
#pragma once

#include <deque>
#include <vector>

#include "kernels/base/emulation/emulated_device.h"

namespace spinert::emulation {

using Work = std::function<void()>;
// Recorded work in small pieces, so that those of several lanes can take turns. True: it is not done yet, call again;
// after false it starts anew.
using Step = std::function<bool()>;

struct Sequence {
  std::vector<Step> steps;
  size_t next = 0;

  bool step();
};

extern Counters all_counters;

class EmulatedStream : public CudaStream {
 public:
  EmulatedStream(const CudaCard& card, int64_t fail_launch) : card_(card), fail_launch_(fail_launch) {}

  const CudaCard& card() const override { return card_; }
  void upload(void* device, const void* host, int64_t bytes) override;
  void download(void* host, const void* device, int64_t bytes) override;
  void copy(void* to, const void* from, int64_t bytes) override;
  void fill(void* device, unsigned char value, int64_t bytes) override;
  Status synchronize() override;

  void record(CudaEvent& event) override;
  void wait(CudaEvent& event) override;
  Status synchronize(CudaEvent& event) override;

  void begin_capture() override;
  Result<std::unique_ptr<CudaGraph>> end_capture() override;
  void replay(CudaGraph& graph) override;
  void repeat_while(const int32_t* condition, const std::function<void()>& body) override;
  void parallel(std::span<const std::function<void()>> lanes) override;

  void enqueue(Work work);
  bool count_launch();
  // Does all work up to that number of pieces since the stream was made.
  void advance(int64_t until);
  void advance() { advance(enqueued_); }

 private:
  bool in_device_memory(const void* device, int64_t bytes);
  // False, and the stream fails, if this is no place for the call.
  bool allowed(bool here, const char* what);

  const CudaCard& card_;
  std::deque<Work> waiting_;
  int64_t enqueued_ = 0, done_ = 0;
  // Being recorded: the graph, and on top of it the bodies of loops.
  std::vector<std::vector<Step>> recording_;
  int64_t launches_ = 0, fail_launch_;
};

struct EmulatedEvent : CudaEvent {
  EmulatedStream* stream = nullptr;  // where it was recorded
  int64_t position = 0;
};

}  // namespace spinert::emulation
