// clock.cpp - vector clocks and the store of their vectors.
#include "kernels/base/emulation/clock.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <utility>
#include <vector>

namespace spinert::emulation {
namespace {

constexpr int kFreshAgents = 64;  // asynchronous operations that are told apart; see fork in fibers.h

struct Store {
  std::vector<ClockVector*> free;
  int threads = 0, agents = 0;
  uint32_t block = 0;

  void empty() {
    for (ClockVector* vector : free) std::free(vector);
    free.clear();
  }
};
// Never destroyed: clocks in other static objects give their vectors back when the program ends.
Store& store = *new Store;

}  // namespace

void clocks_begin(int threads) {
  if (threads != store.threads) store.empty();
  store.threads = threads;
  store.agents = 2 * threads + kFreshAgents;
  ++store.block;
}

int clock_agents() {
  return store.agents;
}

ClockVector* new_vector() {
  ClockVector* vector;
  if (store.free.empty()) {
    vector = static_cast<ClockVector*>(std::malloc(sizeof(ClockVector) + sizeof(uint32_t) * store.agents));
    if (!vector) std::abort();
  } else {
    vector = store.free.back();
    store.free.pop_back();
  }
  *vector = {1, store.agents, 0};
  std::fill_n(vector->time(), store.agents, 0);
  return vector;
}

void drop(ClockVector* vector) {
  if (!vector || --vector->references > 0) return;
  if (vector->agents == store.agents) {
    store.free.push_back(vector);
  } else {
    std::free(vector);
  }
}

void add_all(ClockVector* to, ClockVector* from) {
  to->floor = std::max(to->floor, from->floor);
  uint32_t* a = to->time();
  const uint32_t* b = from->time();
  for (int i = 0; i < to->agents; ++i) a[i] = std::max(a[i], b[i]);
}

ClockVector* own_copy(ClockVector* vector) {
  if (vector->references == 1) return vector;
  ClockVector* copy = new_vector();
  copy->floor = vector->floor;
  std::copy_n(vector->time(), vector->agents, copy->time());
  drop(vector);
  return copy;
}

Clock::Clock(const Clock& other) : base_(other.base_), top_(other.top_), block_(other.block_) {
  if (base_) hold(base_);
}
Clock::Clock(Clock&& other) noexcept
    : base_(std::exchange(other.base_, nullptr)), top_(other.top_), block_(std::exchange(other.block_, 0)) {}
Clock& Clock::operator=(Clock other) noexcept {
  std::swap(base_, other.base_);
  std::swap(top_, other.top_);
  std::swap(block_, other.block_);
  return *this;
}
Clock::~Clock() {
  drop(base_);
}

Clock Clock::of(ClockVector* base, Entry first, Entry second) {
  Clock clock;
  clock.base_ = hold(base);
  clock.top_ = {first, second};
  clock.block_ = store.block;
  return clock;
}

bool Clock::current() const {
  return base_ && block_ == store.block;
}

bool Clock::knows(int agent, uint32_t time) const {
  if (!current()) return false;
  for (const Entry& entry : top_) {
    if (entry.agent == agent && time <= entry.time) return true;
  }
  return vector_knows(base_, store.threads, agent, time);
}

ClockVector* Clock::added_to(ClockVector* base) const {
  if (!current()) return base;
  base = own_copy(base);
  if (base != base_) add_all(base, base_);
  for (const Entry& entry : top_) {
    if (entry.agent >= 0) base->time()[entry.agent] = std::max(base->time()[entry.agent], entry.time);
  }
  return base;
}

void Clock::join(const Clock& other) {
  if (!other.current()) return;
  if (!current()) {
    *this = other;
    return;
  }
  ClockVector* sum = own_copy(std::exchange(base_, nullptr));
  for (const Entry& entry : top_) {
    if (entry.agent >= 0) sum->time()[entry.agent] = std::max(sum->time()[entry.agent], entry.time);
  }
  base_ = other.added_to(sum);
  top_ = {};
}

}  // namespace spinert::emulation
