// roof.h - what this machine can do at best, measured here and now: the bar for every kernel.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/kernel.h"

namespace spinert::bench {

// The fastest loop of one kind of arithmetic.
struct ArithmeticRoof {
  std::string name;         // "fp32", "int8", "bf16", "int8 tiles", "bf16 tiles"
  Level level;              // rows of this level compute with it
  double one = 0, all = 0;  // 1e9 operations per second on one thread and on all of the pool
};

struct Roof {
  int threads = 1;
  double copy_one = 0, copy_all = 0;       // 1e9 bytes per second read plus written by a copy beyond the caches
  std::vector<ArithmeticRoof> arithmetic;  // fp32 first; the others where the machine has them

  // That of a row of this level: fp32 on the widest registers for all but the rows with products of their own.
  const ArithmeticRoof& of(Level level) const;
};

// Takes about two seconds. `level` must be offered by this machine; no arithmetic beyond it is measured.
Roof measure_roof(Level level, ThreadPool& pool);

// The least time in seconds that this work can take on all threads, and what bounds it.
struct Bound {
  double seconds = 0;
  bool memory = false;  // the copy takes longer than the arithmetic
};
Bound least_time(const Cost& cost, Level level, const Roof& roof);

// Bytes of the last-level cache; 32 MiB if the system does not say.
int64_t last_level_cache();

}  // namespace spinert::bench
