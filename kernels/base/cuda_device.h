// cuda_device.h - a card, its memory and its streams, as host code sees them. Nothing here needs a CUDA header.
//
// Exactly one of three definitions is linked into a program: cuda_device.cu over the CUDA runtime;
// emulation/emulated_device.cpp, where the "device" is this process and launches run as fibers (tests); or
// cuda_device_none.cpp, which answers every request with E_DEVICE.
//
// Errors: E_DEVICE for no driver, one too old, no such card, an architecture below 8.0, a lost device, a failed launch;
// E_OOM_DEVICE for memory. A stream keeps its first error and refuses work after it: nothing continues on a broken
// card.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "kernels/base/kernel.h"

namespace spinert {

struct CudaCard {
  int index = 0;
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  int64_t shared_bytes = 0;  // most dynamic shared memory of one block
  int64_t memory_bytes = 0, l2_bytes = 0;

  // The best kernels that it runs: sm90a on 9.0 alone (that code runs on no other), sm80 from 8.0 on.
  Level level() const { return major == 9 && minor == 0 ? Level::sm90a : Level::sm80; }
};

// A mark in the work of a stream that another stream or the host can wait for.
class CudaEvent {
 public:
  virtual ~CudaEvent() = default;
};

// Work recorded once, to be run again and again by one call (CudaStream::replay).
class CudaGraph {
 public:
  virtual ~CudaGraph() = default;
};

// Runs what it is given in that order. All calls come from one host thread at a time.
class CudaStream {
 public:
  virtual ~CudaStream() = default;

  virtual const CudaCard& card() const = 0;
  // Ordered with the launches of the stream. Host memory must stay as it is until synchronize().
  virtual void upload(void* device, const void* host, int64_t bytes) = 0;
  virtual void download(void* host, const void* device, int64_t bytes) = 0;
  virtual void copy(void* to, const void* from, int64_t bytes) = 0;  // device to device
  virtual void fill(void* device, unsigned char value, int64_t bytes) = 0;
  // Waits for everything. The first error of the stream, which it keeps.
  virtual Status synchronize() = 0;

  // Events: record() marks what was enqueued so far, wait() lets this stream go on only when that mark is reached, and
  // synchronize(event) waits on the host for it, and only for it. An event never recorded counts as reached.
  virtual void record(CudaEvent& event) = 0;
  virtual void wait(CudaEvent& event) = 0;
  virtual Status synchronize(CudaEvent& event) = 0;

  // Between the two calls work is recorded instead of run. Host memory named in it is read or written when the graph
  // runs, and should be pinned. synchronize(), record() and wait() are not for captures.
  virtual void begin_capture() = 0;
  virtual Result<std::unique_ptr<CudaGraph>> end_capture() = 0;
  virtual void replay(CudaGraph& graph) = 0;
  // Only in a capture: what `body` enqueues runs while the integer at `condition` (device memory) is not 0. It is read
  // before each pass, on the device: the host waits for nothing. `body` is called once and must enqueue launches and
  // copies within device memory only.
  virtual void repeat_while(const int32_t* condition, const std::function<void()>& body) = 0;
  // What each function enqueues may run beside what the others enqueue; all are done before what comes after.
  virtual void parallel(std::span<const std::function<void()>> lanes) = 0;

  // cudaStream_t on a card, null elsewhere; for the bench, which times other libraries on the same stream.
  virtual void* native_handle() { return nullptr; }
  // The first error seen so far, without waiting.
  const Status& status() const { return status_; }
  void fail(Status status) {
    if (status_.ok()) static_cast<void>(status_ = std::move(status));
  }

  // Programmatic dependent launch: a kernel that says so in its LaunchShape may start before the one before it has
  // ended, and waits inside for its data. Off unless the plan turns it on; ignored where the card lacks it.
  bool dependent_launch = false;

 private:
  Status status_;
};

// Owns its memory and its first stream. Other streams, events and graphs must go before it.
class CudaDevice {
 public:
  // Opens card `index` of those that the driver shows.
  static Result<std::unique_ptr<CudaDevice>> open(int index);
  virtual ~CudaDevice() = default;

  virtual const CudaCard& card() const = 0;
  virtual CudaStream& stream() = 0;
  virtual Result<std::unique_ptr<CudaStream>> create_stream() = 0;
  virtual Result<std::unique_ptr<CudaEvent>> create_event() = 0;
  // 256-byte aligned. Freed by release() or with the device.
  virtual Result<void*> allocate(int64_t bytes) = 0;
  // Host memory that the card reads and writes by itself; every copy of a running plan goes through such memory.
  virtual Result<void*> allocate_pinned(int64_t bytes) = 0;
  virtual void release(void* memory) = 0;  // of either kind
};

}  // namespace spinert
