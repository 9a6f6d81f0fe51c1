// emulated_device.h - what tests may ask of the emulated card. The settings hold for devices opened later.
#pragma once

#include "kernels/base/cuda_device.h"

namespace spinert::emulation {

struct CardSettings {
  int major = 9, minor = 0;
  int multiprocessors = 4;
  int64_t shared_bytes = 227 << 10;
  int64_t memory_bytes = int64_t{8} << 30;
  int64_t fail_allocation = 0;  // the k-th allocation of a device fails with E_OOM_DEVICE; 0: none
  int64_t fail_launch = 0;      // the k-th launch of its stream fails with E_DEVICE; 0: none
};
void set_card(const CardSettings& settings);

// The core's own: counts a launch of the stream; false if it is the one to fail.
bool count_launch(CudaStream& stream);

}  // namespace spinert::emulation
