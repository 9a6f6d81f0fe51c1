// clock.h - vector clocks: which accesses of which threads happened before this moment. An epoch is (agent, time); an
// agent is a thread of the block, its twin for asynchronous copies, or one asynchronous operation.
//
// A Clock is a shared vector and up to two entries on top, so that forks and releases copy nothing. A clock belongs to
// the block in which it was made; in a later block it knows nothing.
#pragma once

#include <array>
#include <cstdint>

namespace spinert::emulation {

// Immutable while more than one holds it.
struct ClockVector {
  int references;
  int agents;
  uint32_t floor;  // of every thread all accesses up to and including this time are known
  uint32_t* time() { return reinterpret_cast<uint32_t*>(this + 1); }  // the same for each agent of the block
};

struct ClockEntry {
  int agent = -1;
  uint32_t time = 0;
};

class Clock {
 public:
  Clock() = default;  // knows nothing
  Clock(const Clock& other);
  Clock(Clock&& other) noexcept;
  Clock& operator=(Clock other) noexcept;
  ~Clock();

  // Both together.
  void join(const Clock& other);
  bool knows(int agent, uint32_t time) const;
  void clear() { *this = Clock(); }

  // What follows is the core's own.
  using Entry = ClockEntry;
  static Clock of(ClockVector* base, Entry first, Entry second = {});
  bool current() const;  // made in the block that runs now
  const Entry& agent() const { return top_[1]; }
  // base with everything of this clock added; takes over the reference to base.
  ClockVector* added_to(ClockVector* base) const;

 private:
  ClockVector* base_ = nullptr;
  std::array<Entry, 2> top_;
  uint32_t block_ = 0;
};

// The vectors of the block that runs. clocks_begin starts a block of so many threads; all older clocks become empty.
void clocks_begin(int threads);
int clock_agents();
ClockVector* new_vector();  // all zero, one reference
inline ClockVector* hold(ClockVector* vector) {
  ++vector->references;
  return vector;
}
void drop(ClockVector* vector);
ClockVector* own_copy(ClockVector* vector);  // the same if nobody else holds it; takes over the reference
void add_all(ClockVector* to, ClockVector* from);
inline bool vector_knows(ClockVector* vector, int threads, int agent, uint32_t time) {
  return (agent < threads && time <= vector->floor) || time <= vector->time()[agent];
}

}  // namespace spinert::emulation
