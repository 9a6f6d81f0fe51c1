// emulated_device.cpp - CudaDevice without a card: device memory is memory of this process, and all work is done at
// once, in the order of the calls.
#include "kernels/base/emulation/emulated_device.h"

#include <cstring>
#include <set>

#include "kernels/base/emulation/memory.h"
#include "kernels/base/emulation/race_check.h"

namespace spinert {
namespace emulation {
namespace {

CardSettings card_settings;

std::string place(const CudaCard& card) {
  return "cuda:" + std::to_string(card.index);
}

class EmulatedStream : public CudaStream {
 public:
  EmulatedStream(const CudaCard& card, int64_t fail_launch) : card_(card), fail_launch_(fail_launch) {}

  const CudaCard& card() const override { return card_; }
  void upload(void* device, const void* host, int64_t bytes) override {
    if (usable(device, bytes)) std::memcpy(device, host, static_cast<size_t>(bytes));
  }
  void download(void* host, const void* device, int64_t bytes) override {
    if (usable(device, bytes)) std::memcpy(host, device, static_cast<size_t>(bytes));
  }
  void copy(void* to, const void* from, int64_t bytes) override {
    if (usable(to, bytes) && usable(from, bytes)) std::memmove(to, from, static_cast<size_t>(bytes));
  }
  void fill(void* device, unsigned char value, int64_t bytes) override {
    if (usable(device, bytes)) std::memset(device, value, static_cast<size_t>(bytes));
  }
  Status synchronize() override {
    if (const std::string problem = take_host_problem(); !problem.empty()) {
      fail(error(ErrorId::E_VERIFY, problem, place(card_)));
    }
    return status();
  }

  bool count_launch() {
    if (++launches_ != fail_launch_) return true;
    fail(error(ErrorId::E_DEVICE, "launching a kernel: a failure that a test asked for", place(card_)));
    return false;
  }

 private:
  bool usable(const void* device, int64_t bytes) {
    if (!status().ok() || bytes == 0) return false;
    if (bytes > 0 && device_valid(device_offset(device), static_cast<size_t>(bytes))) return true;
    fail(error(ErrorId::E_VERIFY, "a transfer of " + std::to_string(bytes) + " bytes leaves device memory",
               place(card_)));
    return false;
  }

  const CudaCard& card_;
  int64_t launches_ = 0, fail_launch_;
};

class EmulatedDevice : public CudaDevice {
 public:
  EmulatedDevice(int index, const CardSettings& settings)
      : card_{.index = index,
              .name = "emulated",
              .major = settings.major,
              .minor = settings.minor,
              .multiprocessors = settings.multiprocessors,
              .shared_bytes = settings.shared_bytes,
              .memory_bytes = settings.memory_bytes,
              .l2_bytes = 32 << 20},
        stream_(card_, settings.fail_launch),
        fail_allocation_(settings.fail_allocation) {}
  ~EmulatedDevice() override {
    for (void* memory : blocks_) device_release(memory);
  }

  const CudaCard& card() const override { return card_; }
  CudaStream& stream() override { return stream_; }
  Result<void*> allocate(int64_t bytes) override {
    void* memory = nullptr;
    if (++allocations_ != fail_allocation_ && bytes <= card_.memory_bytes)
      memory = device_allocate(bytes > 0 ? bytes : 1);
    if (!memory) {
      return error(ErrorId::E_OOM_DEVICE, "allocating " + std::to_string(bytes) + " bytes: out of memory",
                   place(card_));
    }
    blocks_.insert(memory);
    return memory;
  }
  void release(void* memory) override {
    if (blocks_.erase(memory) > 0) device_release(memory);
  }

 private:
  CudaCard card_;
  EmulatedStream stream_;
  std::set<void*> blocks_;
  int64_t allocations_ = 0, fail_allocation_;
};

}  // namespace

void set_card(const CardSettings& settings) {
  card_settings = settings;
}

bool count_launch(CudaStream& stream) {
  return static_cast<EmulatedStream&>(stream).count_launch();
}

}  // namespace emulation

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int index) {
  const std::string where = "cuda:" + std::to_string(index);
  if (index != 0) return error(ErrorId::E_DEVICE, "no such card", where).expected("0", std::to_string(index));
  const emulation::CardSettings& settings = emulation::card_settings;
  if (settings.major < 8) {
    return error(ErrorId::E_DEVICE, "the card is too old", where + " (emulated)")
        .expected("compute capability 8.0 or newer",
                  std::to_string(settings.major) + "." + std::to_string(settings.minor));
  }
  return std::unique_ptr<CudaDevice>(std::make_unique<emulation::EmulatedDevice>(index, settings));
}

}  // namespace spinert
