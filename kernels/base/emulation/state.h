// state.h - what the parts of the core share: the launch that runs, its block and its threads. One launch at a time.
#pragma once

#include <boost/context/detail/fcontext.hpp>
#include <string>
#include <vector>

#include "kernels/base/emulation/fibers.h"

namespace spinert::emulation {

constexpr int kMostThreads = 1024, kWarp = 32, kWarpgroup = 128, kNamedBarriers = 16;

// splitmix64. Every launch starts it anew from the seed.
class Random {
 public:
  void seed(uint64_t seed) { state_ = seed; }
  uint32_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return static_cast<uint32_t>((z ^ (z >> 31)) >> 32);
  }
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>((uint64_t{next()} * bound) >> 32); }

 private:
  uint64_t state_ = 0;
};
uint64_t current_seed();  // see set_seed()

enum class ThreadState : unsigned char { ready, meeting, polling, exited };

struct Thread {
  int index = 0;
  ThreadState state = ThreadState::ready;
  boost::context::detail::fcontext_t context = nullptr;
  unsigned char* stack = nullptr;  // its lowest byte
  void* fake_stack = nullptr;      // the address sanitizer's
  // While it does not run: for what it waits.
  const char* waits_for = nullptr;
  uint32_t mask = 0;  // of lanes, at a meeting of a warp
  void* argument = nullptr;
  bool (*ready)(void*) = nullptr;
  // Order of memory: what it knows, shared with those that it met last, and its own time.
  ClockVector* known = nullptr;
  uint32_t time = 1;
  uint32_t own_agent_time = 0;
  uint32_t fence_time = 0;  // its writes up to this time have a proxy fence behind them
  Clock fence_clock;        // what it knew at its last proxy fence
};

// A meeting point and those who have come.
struct Meeting {
  Scope scope{};
  const char* what = nullptr;  // null: nobody is here
  Body body = nullptr;
  Order order = Order::none;
  int arrived = 0;           // with those that do not wait
  std::vector<int> waiting;  // threads
  Clock clock;               // of those that do not wait
  uint32_t clock_time = 0;   // the latest time of one of them
};

struct Deferred {
  std::function<void()> operation;
  int queue;
};

struct Block {
  std::vector<Thread> threads;
  std::vector<int> ready, polling;
  std::vector<Deferred> deferred;
  std::vector<std::vector<Meeting>> warps;  // of each warp, one for each mask in use
  std::vector<Meeting> warpgroups;
  Meeting whole, named[kNamedBarriers];
  Index3 index{}, size{}, grid{};
  int alive = 0;  // threads that have not exited
  int fresh_agents = 0;
  Random random;
};

extern Block block;
extern Thread* current;      // null in the scheduler, in deferred operations and in the bodies of meetings
extern std::string problem;  // the first failure of the launch
inline bool failed() {
  return !problem.empty();
}
// Whether the accesses of this host thread are those of a kernel.
extern thread_local constinit bool checking;
// Whether this host thread does the work of a stream.
extern thread_local constinit bool device_at_work;

std::string describe(const Thread& thread);  // "thread 5 of block (0, 1, 0)"
// Leaves the running thread; comes back when the scheduler takes it again.
void switch_out();
// A thread of the block has exited: meetings may be complete without it.
void settle_after_exit(int thread);
// Empties all meeting points.
void clear_meetings();
// Memory that the launch may read besides device and shared memory: its parameters.
extern const unsigned char* closure_base;
extern size_t closure_bytes;
size_t stack_bytes();

}  // namespace spinert::emulation
