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
#include <memory>
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

// In order of work of one stream. All calls come from one host thread at a time.
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
  // cudaStream_t on a card, null elsewhere; for the bench, which times other libraries on the same stream.
  virtual void* native_handle() { return nullptr; }
  // The first error seen so far, without waiting.
  const Status& status() const { return status_; }
  void fail(Status status) {
    if (status_.ok()) static_cast<void>(status_ = std::move(status));
  }

  // Programmatic dependent launch: a kernel may start before the one before it has ended, and waits inside for its
  // data (ptx::grid_dependency_wait). Off unless the plan turns it on; ignored where the card lacks it.
  bool dependent_launch = false;

 private:
  Status status_;
};

class CudaDevice {
 public:
  // Opens card `index` of those that the driver shows.
  static Result<std::unique_ptr<CudaDevice>> open(int index);
  virtual ~CudaDevice() = default;

  virtual const CudaCard& card() const = 0;
  virtual CudaStream& stream() = 0;
  // 256-byte aligned. Freed by release() or with the device.
  virtual Result<void*> allocate(int64_t bytes) = 0;
  virtual void release(void* memory) = 0;
};

}  // namespace spinert
