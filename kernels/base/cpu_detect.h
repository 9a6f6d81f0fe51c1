// cpu_detect.h - what this processor and system offer to the cpu backend.
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

// The highest level of which every feature is there: reported by CPUID and, for registers beyond SSE, saved by the
// system (XCR0). Tiles (AMX) need the system's permission besides, which this call asks for, once for the whole
// process.
Level detect_cpu_level();

}  // namespace spinert
