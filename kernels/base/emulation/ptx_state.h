// ptx_state.h - what the twins of asynchronous PTX remember while a block runs.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "kernels/base/emulation/fibers.h"
#include "kernels/base/emulation/ptx_model.h"

namespace spinert::emulation {

// Operations in the order of their issue, closed into groups by a commit.
template <class Operation>
struct Groups {
  std::vector<Operation> open;
  std::vector<std::vector<Operation>> committed;

  bool empty() const { return open.empty() && committed.empty(); }
  void commit() {
    committed.push_back(std::move(open));
    open.clear();
  }
  // Runs and drops all groups but the youngest ones.
  template <class Function>
  void finish(int youngest, const Function& function) {
    const auto last = committed.end() - std::min<std::ptrdiff_t>(youngest, std::ssize(committed));
    for (auto group = committed.begin(); group != last; ++group) {
      for (Operation& operation : *group) function(operation);
    }
    committed.erase(committed.begin(), last);
  }
};

struct CopyOperation {
  uint32_t shared;
  const unsigned char* global;
  int bytes, valid;
  Clock clock;
};
struct StoreOperation {
  ptx_model::MapFields map;
  uint32_t shared;
  std::array<int, 5> coordinates;
  Clock clock;
};
struct ThreadOperations {
  Groups<CopyOperation> copies;
  Groups<StoreOperation> stores;
};

// Beside the 8 bytes in shared memory, which hold the counts.
struct MbarrierSide {
  Clock gathering;                 // arrivals of the running phase
  std::array<Clock, 2> completed;  // of the last phase of each parity
  int initialised_by = -1;
  bool fenced = false;  // its initialisation is known to the asynchronous proxy
};

struct ProductOperation {
  bool bf16, scale_d;
  int n;
  uint64_t a, b;
  std::array<float*, ptx_model::kGroupThreads> d;
  std::vector<Clock> clocks;  // one for each warp
};
struct WarpgroupState {
  bool fenced = false;  // wgmma_fence since the last commit
  Groups<ProductOperation> products;
  std::vector<Clock> issued, landed;  // of the product being issued; of those that the last wait finished
};

struct PtxState {
  std::vector<ThreadOperations> threads;
  std::vector<WarpgroupState> warpgroups;
  std::unordered_map<uint32_t, MbarrierSide> mbarriers;
};
// Of the block that runs; empty at its start.
PtxState& ptx_state();
// Called by the scheduler when a block ends. Reports work that its threads started and never waited for where the card
// would read or write memory that is gone.
void ptx_end_block();
inline ThreadOperations& my_ptx() {
  return ptx_state().threads[static_cast<size_t>(thread_in_block())];
}

// Reports an address that is not a multiple of `align`.
void check_aligned(uint64_t address, uint32_t align, const char* what);

}  // namespace spinert::emulation
