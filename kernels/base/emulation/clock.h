// clock.h - vector clocks: which accesses of which threads happened before this moment. An epoch is (agent, time); an
// agent is a thread of the block, its twin for asynchronous copies, or one asynchronous operation.
//
// A Clock is a shared immutable vector and up to two entries on top, so that forks and releases copy nothing.
#pragma once

#include <array>
#include <cstdint>

namespace spinert::emulation {

struct ClockVector {
  int references;
  uint32_t floor;   // everything before this time is known, of every agent that is a thread
  uint32_t time[];  // one for each agent of the block: all accesses up to and including this time are known
};

class Clock {
 public:
  struct Entry {
    int agent = -1;
    uint32_t time = 0;
  };

  Clock() = default;  // knows nothing
  Clock(const Clock& other);
  Clock(Clock&& other) noexcept;
  Clock& operator=(Clock other) noexcept;
  ~Clock();

  // Both together.
  void join(const Clock& other);
  bool knows(int agent, uint32_t time) const;
  void clear() { *this = Clock(); }

  // The core's own parts.
  ClockVector* base = nullptr;
  std::array<Entry, 2> top;
  int agent = -1;  // of a fork: who makes the accesses noted with it
};

}  // namespace spinert::emulation
