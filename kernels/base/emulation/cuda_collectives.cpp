// cuda_collectives.cpp - shuffles, votes and atomics of cuda_emulation.h.
#include "kernels/base/cuda_emulation.h"
#include "kernels/base/emulation/state.h"

namespace spinert::emulation {
namespace {

struct ShuffleLane {
  Shuffle kind;
  int argument, width;
  uint64_t value, got;
};

// The lane that `lane` reads, as the CUDA guide defines it: groups of `width` lanes; out of the group: the own value.
int source(const ShuffleLane& mine, int lane) {
  const int group = lane / mine.width * mine.width, inside = lane % mine.width;
  switch (mine.kind) {
    case Shuffle::index: return group + (mine.argument & (mine.width - 1));
    case Shuffle::up: return mine.argument > inside ? lane : lane - mine.argument;
    case Shuffle::down: return inside + mine.argument >= mine.width ? lane : lane + mine.argument;
    case Shuffle::exclusive_or: {
      const int other = inside ^ mine.argument;
      return other >= mine.width || other < 0 ? lane : group + other;
    }
  }
  return lane;
}

void shuffle_body(void* const* lanes, int slots) {
  for (int lane = 0; lane < slots; ++lane) {
    if (!lanes[lane]) continue;
    auto& mine = *static_cast<ShuffleLane*>(lanes[lane]);
    const int from = source(mine, lane);
    if (!lanes[from]) {
      report("a shuffle: lane " + std::to_string(lane) + " reads lane " + std::to_string(from) +
             ", which takes no part");
      return;
    }
    mine.got = static_cast<const ShuffleLane*>(lanes[from])->value;
  }
}

struct BallotLane {
  bool vote;
  unsigned result;
};

void ballot_body(void* const* lanes, int slots) {
  unsigned result = 0;
  for (int lane = 0; lane < slots; ++lane) {
    if (lanes[lane] && static_cast<const BallotLane*>(lanes[lane])->vote) result |= 1u << lane;
  }
  for (int lane = 0; lane < slots; ++lane) {
    if (lanes[lane]) static_cast<BallotLane*>(lanes[lane])->result = result;
  }
}

constexpr uint32_t kAtomicYields = 8;  // one atomic in so many lets other threads go first

void before_atomic(const void* address, size_t bytes) {
  if (block.random.below(kAtomicYields) == 0) yield();
  note_atomic(address, bytes, "an atomic operation");
}

template <class T>
T atomic_typed(Atomic kind, T* address, T value) {
  const Inside inside;
  before_atomic(address, sizeof(T));
  const T old = *address;
  switch (kind) {
    case Atomic::add: *address = static_cast<T>(static_cast<std::make_unsigned_t<T>>(old) + value); break;
    case Atomic::max: *address = std::max(old, value); break;
    case Atomic::min: *address = std::min(old, value); break;
    case Atomic::bit_or: *address = old | value; break;
    case Atomic::bit_and: *address = old & value; break;
    case Atomic::exchange: *address = value; break;
  }
  return old;
}

template <class T>
T cas_typed(T* address, T compare, T value) {
  const Inside inside;
  before_atomic(address, sizeof(T));
  const T old = *address;
  if (old == compare) *address = value;
  return old;
}

}  // namespace

uint64_t shuffle(Shuffle kind, const char* what, unsigned mask, uint64_t value, int argument, int width) {
  const Inside inside;
  if (width < 1 || width > kWarp || (width & (width - 1)) != 0)
    report("a shuffle with a width that is no power of two");
  ShuffleLane mine{kind, argument, width, value, 0};
  rendezvous(Scope::warp(mask), what, &mine, shuffle_body, Order::none);
  return mine.got;
}

unsigned ballot(const char* what, unsigned mask, bool vote) {
  const Inside inside;
  BallotLane mine{vote, 0};
  rendezvous(Scope::warp(mask), what, &mine, ballot_body, Order::none);
  return mine.result;
}

int atomic(Atomic kind, int* address, int value) {
  return atomic_typed(kind, address, value);
}
unsigned atomic(Atomic kind, unsigned* address, unsigned value) {
  return atomic_typed(kind, address, value);
}
unsigned long long atomic(Atomic kind, unsigned long long* address, unsigned long long value) {
  return atomic_typed(kind, address, value);
}
int atomic_cas(int* address, int compare, int value) {
  return cas_typed(address, compare, value);
}
unsigned atomic_cas(unsigned* address, unsigned compare, unsigned value) {
  return cas_typed(address, compare, value);
}
unsigned long long atomic_cas(unsigned long long* address, unsigned long long compare, unsigned long long value) {
  return cas_typed(address, compare, value);
}

}  // namespace spinert::emulation
