// ptx_state.h - what the twins of asynchronous PTX remember while a block runs.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "kernels/base/emulation/fibers.h"
#include "kernels/base/emulation/ptx_model.h"

namespace spinert::emulation {

// Operations in the order of their issue, closed into groups by a commit.
template <class Operation>
struct Groups {
  std::vector<Operation> open;
  std::deque<std::vector<Operation>> committed;

  void commit() {
    committed.push_back(std::move(open));
    open.clear();
  }
  // Runs and drops all groups but the youngest ones.
  template <class Function>
  void finish(int youngest, const Function& function) {
    while (committed.size() > static_cast<size_t>(youngest)) {
      for (Operation& operation : committed.front()) function(operation);
      committed.pop_front();
    }
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
  Clock gathering, completed;  // arrivals of the running phase, and of the one before
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
};

struct PtxState {
  uint64_t block = 0;  // whose state this is
  std::vector<ThreadOperations> threads;
  std::vector<WarpgroupState> warpgroups;
  std::unordered_map<uint32_t, MbarrierSide> mbarriers;
};
// Of the block that runs; empty at its start. Not for deferred operations.
PtxState& ptx_state();
inline ThreadOperations& my_ptx() {
  return ptx_state().threads[static_cast<size_t>(thread_in_block())];
}

// Reports an address that is not a multiple of `align`.
void check_aligned(uint64_t address, uint32_t align, const char* what);

}  // namespace spinert::emulation
