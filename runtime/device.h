// device.h - turns the device options into a backend and an upper bound on its level, or refuses.
#pragma once

#include <memory>

#include "kernels/base/cuda_device.h"
#include "kernels/registry.h"
#include "runtime/engine.h"

namespace spinert {

struct Device {
  Backend backend = Backend::cpu;
  Level limit = Level::scalar;
  std::string precision = "fp32";
  bool fallback = false;
  std::string fallback_reason;
  std::shared_ptr<CudaDevice> cuda;  // open; null on other backends
};

// `auto` is the cpu; with auto_takes_card the first card if there is a usable one, else the cpu, as a fallback; with an
// instruction set of the cpu named, the cpu. Errors: E_USAGE for a name that is none, E_DEVICE for a device, level or
// precision that this build or machine lacks, E_CONFIG for a precision that needs a calibration.
Result<Device> resolve_device(const EngineOptions& options);

}  // namespace spinert
