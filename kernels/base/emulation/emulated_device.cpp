// emulated_device.cpp - CudaDevice without a card: device memory is memory of this process.
#include "kernels/base/emulation/emulated_device.h"

#include <cstdlib>
#include <set>

#include "kernels/base/emulation/emulated_stream.h"
#include "kernels/base/emulation/memory.h"

namespace spinert {
namespace emulation {
namespace {

CardSettings card_settings;

std::string place(const CudaCard& card) {
  return "cuda:" + std::to_string(card.index);
}

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
        settings_(settings),
        stream_(card_, settings.fail_launch) {}
  ~EmulatedDevice() override {
    for (void* memory : blocks_) device_release(memory);
    for (void* memory : pinned_) std::free(memory);
    all_counters.blocks -= static_cast<int64_t>(blocks_.size() + pinned_.size());
  }

  const CudaCard& card() const override { return card_; }
  CudaStream& stream() override { return stream_; }
  Result<std::unique_ptr<CudaStream>> create_stream() override {
    return std::unique_ptr<CudaStream>(std::make_unique<EmulatedStream>(card_, settings_.fail_launch));
  }
  Result<std::unique_ptr<CudaEvent>> create_event() override {
    return std::unique_ptr<CudaEvent>(std::make_unique<EmulatedEvent>());
  }
  Result<void*> allocate(int64_t bytes) override {
    void* memory = nullptr;
    if (count_allocation() && bytes <= card_.memory_bytes) memory = device_allocate(bytes > 0 ? bytes : 1);
    if (!memory) return refused(ErrorId::E_OOM_DEVICE, bytes);
    blocks_.insert(memory);
    ++all_counters.blocks;
    return memory;
  }
  Result<void*> allocate_pinned(int64_t bytes) override {
    void* memory = nullptr;
    if (count_allocation()) {
      memory = std::aligned_alloc(kDeviceGranule, static_cast<size_t>(bytes / kDeviceGranule + 1) * kDeviceGranule);
    }
    if (!memory) return refused(ErrorId::E_OOM_HOST, bytes);
    pinned_.insert(memory);
    ++all_counters.blocks;
    return memory;
  }
  void release(void* memory) override {
    stream_.advance();  // as cudaFree waits for the card
    if (blocks_.erase(memory) > 0) {
      device_release(memory);
      --all_counters.blocks;
    }
    if (pinned_.erase(memory) > 0) {
      std::free(memory);
      --all_counters.blocks;
    }
  }

 private:
  bool count_allocation() {
    ++all_counters.allocations;
    return ++allocations_ != settings_.fail_allocation;
  }
  Status refused(ErrorId id, int64_t bytes) const {
    return error(id, "allocating " + std::to_string(bytes) + " bytes: out of memory", place(card_));
  }

  CudaCard card_;
  const CardSettings settings_;
  EmulatedStream stream_;
  std::set<void*> blocks_, pinned_;
  int64_t allocations_ = 0;
};

}  // namespace

void set_card(const CardSettings& settings) {
  card_settings = settings;
}

const Counters& counters() {
  return all_counters;
}

void enqueue(CudaStream& stream, std::function<void()> work) {
  static_cast<EmulatedStream&>(stream).enqueue(std::move(work));
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
