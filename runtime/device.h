// device.h - turns the device options into a backend and an upper bound on its level, or refuses.
#pragma once

#include "kernels/registry.h"
#include "runtime/engine.h"

namespace spinert {

struct Device {
  Backend backend = Backend::cpu;
  Level limit = Level::scalar;
  bool fallback = false;
};

// Errors: E_USAGE for a name that is none, E_DEVICE for a device, level or precision that this build or machine lacks.
Result<Device> resolve_device(const EngineOptions& options);

}  // namespace spinert
