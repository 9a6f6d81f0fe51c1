// roof.h - what this machine can do at best, measured here and now: the bar for every kernel.
#pragma once

#include "kernels/base/kernel.h"

namespace spinert::bench {

struct Roof {
  double gflops = 0;  // fp32, all threads of the pool
  double gbytes = 0;  // 1e9 bytes read from memory per second, all threads
};

// Takes about a second. `level` must be offered by this machine.
Roof measure_roof(Level level, ThreadPool& pool);

// The least time in seconds that this work can take.
double roof_seconds(const Cost& cost, const Roof& roof);

// Bytes of the last-level cache; 32 MiB if the system does not say.
int64_t last_level_cache();

}  // namespace spinert::bench
