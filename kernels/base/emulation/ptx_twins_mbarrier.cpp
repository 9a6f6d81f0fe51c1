// ptx_twins_mbarrier.cpp - mbarriers and fences. The counts live in the 8 bytes of shared memory, as on the card; the
// clocks beside them in PtxState.
#include <cstring>

#include "kernels/base/emulation/ptx_mbarrier.h"
#include "kernels/base/emulation/ptx_twins.h"

namespace spinert::emulation {
namespace {

constexpr int kBytes = 8;
constexpr int64_t kMostCount = (1 << 20) - 1, kMostTx = (1 << 20) - 1;
constexpr uint64_t kMark = 1;  // two bits; memory that was never initialised holds other ones

// count and pending 20 bits each, phase 1, bytes to come 21 (offset by kMostTx), mark 2.
struct Word {
  int64_t count, pending, phase, bytes;
  uint64_t mark;
};

Word load(uint32_t bar) {
  uint64_t bits;
  std::memcpy(&bits, shared_pointer(bar), sizeof bits);
  const auto field = [bits](int from, int width) {
    return static_cast<int64_t>((bits >> from) & ((uint64_t{1} << width) - 1));
  };
  return {field(0, 20), field(20, 20), field(40, 1), field(41, 21) - kMostTx, bits >> 62};
}
void store(uint32_t bar, const Word& word) {
  const uint64_t bits = static_cast<uint64_t>(word.count) | static_cast<uint64_t>(word.pending) << 20 |
                        static_cast<uint64_t>(word.phase) << 40 | static_cast<uint64_t>(word.bytes + kMostTx) << 41 |
                        word.mark << 62;
  std::memcpy(shared_pointer(bar), &bits, sizeof bits);
}

bool usable(uint32_t bar, const char* what) {
  const auto& all = ptx_state().mbarriers;
  if (all.find(bar) != all.end() && load(bar).mark == kMark) return true;
  report(std::string(what) + ": no initialised mbarrier at shared address " + std::to_string(bar));
  return false;
}

// Adds to what is pending and to the bytes; completes the phase when nothing is left.
void change(uint32_t bar, int64_t arrivals, int64_t bytes, const Clock& clock, const char* what) {
  Word word = load(bar);
  MbarrierSide& side = ptx_state().mbarriers[bar];
  side.gathering.join(clock);
  word.pending -= arrivals;
  word.bytes += bytes;
  if (word.pending < 0) {
    report(std::string(what) + ": an arrival beyond the count of the mbarrier at " + std::to_string(bar));
    return;
  }
  if (word.bytes > kMostTx || word.bytes < -kMostTx) {
    report(std::string(what) + ": " + std::to_string(word.bytes) + " bytes to come at the mbarrier at " +
           std::to_string(bar) + ", at most " + std::to_string(kMostTx));
    return;
  }
  if (word.pending == 0 && word.bytes == 0) {
    word.pending = word.count;
    side.completed[static_cast<size_t>(word.phase)] = std::move(side.gathering);
    word.phase ^= 1;
    side.gathering.clear();
  }
  store(bar, word);
}

struct Wait {
  uint32_t bar, parity;
};
bool phase_done(void* argument) {
  const Wait& wait = *static_cast<Wait*>(argument);
  return load(wait.bar).phase != static_cast<int64_t>(wait.parity);
}

void fence_mine() {
  for (auto& [bar, side] : ptx_state().mbarriers) side.fenced |= side.initialised_by == thread_in_block();
}

}  // namespace

void mbarrier_init(uint32_t bar, int count) {
  const Inside inside;
  check_aligned(bar, kBytes, "mbarrier.init");
  if (count < 1 || count > kMostCount) report("mbarrier.init: a count of " + std::to_string(count));
  note_write(shared_pointer(bar), kBytes, "mbarrier.init");
  MbarrierSide& side = ptx_state().mbarriers[bar];
  if (side.initialised_by >= 0) {
    report("mbarrier.init: the mbarrier at " + std::to_string(bar) + " is initialised twice");
  }
  side.initialised_by = thread_in_block();
  store(bar, {count, count, 0, 0, kMark});
}

void mbarrier_arrive(uint32_t bar, uint32_t expected_bytes) {
  const Inside inside;
  check_aligned(bar, kBytes, "mbarrier.arrive");
  note_atomic(shared_pointer(bar), kBytes, "mbarrier.arrive");
  if (usable(bar, "mbarrier.arrive")) change(bar, 1, expected_bytes, release(), "mbarrier.arrive");
}

void mbarrier_wait(uint32_t bar, uint32_t parity) {
  const Inside inside;
  check_aligned(bar, kBytes, "mbarrier.try_wait");
  if (parity > 1) report("mbarrier.try_wait: a parity of " + std::to_string(parity));
  note_atomic(shared_pointer(bar), kBytes, "mbarrier.try_wait");
  if (!usable(bar, "mbarrier.try_wait")) return;
  Wait wait{bar, parity};
  wait_until(phase_done, &wait, "mbarrier.try_wait");
  acquire(ptx_state().mbarriers[bar].completed[parity]);
}

void fence_mbarrier_init() {
  const Inside inside;
  fence_mine();
}

void fence_proxy_async() {
  const Inside inside;
  proxy_fence();
  fence_mine();
}

void mbarrier_will_receive(uint32_t bar, const char* what) {
  check_aligned(bar, kBytes, what);
  note_atomic(shared_pointer(bar), kBytes, what);
  if (usable(bar, what) && !ptx_state().mbarriers[bar].fenced) {
    report(std::string(what) + ": no fence_mbarrier_init after the initialisation of the mbarrier at " +
           std::to_string(bar));
  }
}

void mbarrier_complete_tx(uint32_t bar, int64_t bytes, const Clock& clock, const char* what) {
  if (usable(bar, what)) change(bar, 0, -bytes, clock, what);
}

}  // namespace spinert::emulation
