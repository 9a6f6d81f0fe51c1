// memory_planner.h - places every activation of a plan into one arena so that values that live at the same time never
// overlap. Pure function of sizes and lifetimes.
#pragma once

#include <cstdint>
#include <vector>

namespace spinert {

inline constexpr int64_t kTensorAlignment = 64;   // a line of the CPU's caches
inline constexpr int64_t kDeviceAlignment = 256;  // what the CUDA runtime gives and its copies like best
constexpr int64_t aligned(int64_t bytes, int64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

struct Lifetime {
  int64_t bytes = 0;
  int first = 0, last = 0;  // first and last node that uses the value, both included
  int64_t offset = -1;      // result, a multiple of the alignment
};

struct ArenaSize {
  int64_t bytes = 0;      // what the placement needs
  int64_t live_peak = 0;  // most bytes live at one node: no placement can be smaller
};

// Largest first, each at the lowest offset that is free during its lifetime.
ArenaSize plan_arena(std::vector<Lifetime>& values, int64_t alignment = kTensorAlignment);

}  // namespace spinert
