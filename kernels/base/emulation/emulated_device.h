// emulated_device.h - what tests may ask of the emulated card. The settings hold for devices opened later.
#pragma once

#include <functional>

#include "kernels/base/cuda_device.h"

namespace spinert::emulation {

struct CardSettings {
  int major = 9, minor = 0;
  int multiprocessors = 4;
  int64_t shared_bytes = 227 << 10;
  int64_t memory_bytes = int64_t{8} << 30;
  int64_t fail_allocation = 0;  // the k-th allocation of a device fails with E_OOM_DEVICE; 0: none
  int64_t fail_launch = 0;      // the k-th launch of a stream fails with E_DEVICE; 0: none
};
void set_card(const CardSettings& settings);

// What all devices of this process did so far.
struct Counters {
  int64_t allocations = 0;  // of either kind of memory
  int64_t blocks = 0;       // of memory that are not released yet
  int64_t launches = 0, replays = 0, synchronisations = 0;
};
const Counters& counters();

// Adds work to a stream, for its time or for the graph that it records: how kernels are launched, and how a test plants
// a kernel that is a function of the host.
void enqueue(CudaStream& stream, std::function<void()> work);
// The core's own: counts a launch of the stream; false if it is the one to fail.
bool count_launch(CudaStream& stream);

}  // namespace spinert::emulation
