// ptx_twins_warp.cpp - ldmatrix, mma, cp.async, named barriers.
#include <cstring>

#include "kernels/base/emulation/ptx_model.h"
#include "kernels/base/emulation/ptx_state.h"
#include "kernels/base/emulation/ptx_twins.h"

namespace spinert::emulation {
namespace {

PtxState state;

constexpr int kRowBytes = 16;  // of a matrix that ldmatrix reads

bool whole_warp(void* const* lanes, const char* what) {
  for (int lane = 0; lane < ptx_model::kLanes; ++lane) {
    if (lanes[lane]) continue;
    report(std::string(what) + ": lane " + std::to_string(lane) + " of the warp has ended");
    return false;
  }
  return true;
}

struct LdmatrixCall {
  uint32_t* registers;
  int matrices;
  bool trans;
  uint32_t address;
};

void ldmatrix_body(void* const* lanes, int) {
  const auto call = [&](int lane) -> const LdmatrixCall& { return *static_cast<LdmatrixCall*>(lanes[lane]); };
  if (!whole_warp(lanes, "ldmatrix")) return;
  const int matrices = call(0).matrices;
  const unsigned char* rows[ptx_model::kLanes];
  uint32_t out[ptx_model::kLanes][4];
  for (int i = 0; i < 8 * matrices; ++i) rows[i] = shared_pointer(call(i).address);
  ptx_model::ldmatrix(matrices, call(0).trans, rows, out);
  for (int lane = 0; lane < ptx_model::kLanes; ++lane) {
    for (int m = 0; m < matrices; ++m) call(lane).registers[m] = out[lane][m];
  }
}

struct MmaCall {
  bool bf16;
  float* d;
  const uint32_t *a, *b;
};

template <class Multiply>
void mma_body(void* const* lanes, const char* what, const Multiply& multiply) {
  if (!whole_warp(lanes, what)) return;
  uint32_t a[ptx_model::kLanes][4], b[ptx_model::kLanes][2];
  float d[ptx_model::kLanes][4];
  const auto call = [&](int lane) -> const MmaCall& { return *static_cast<MmaCall*>(lanes[lane]); };
  for (int lane = 0; lane < ptx_model::kLanes; ++lane) {
    std::memcpy(a[lane], call(lane).a, sizeof a[lane]);
    std::memcpy(b[lane], call(lane).b, sizeof b[lane]);
    std::memcpy(d[lane], call(lane).d, sizeof d[lane]);
  }
  multiply(a, b, d);
  for (int lane = 0; lane < ptx_model::kLanes; ++lane) std::memcpy(call(lane).d, d[lane], sizeof d[lane]);
}

void land(const CopyOperation& copy) {
  unsigned char* to = shared_pointer(copy.shared);
  if (copy.valid > 0) std::memcpy(to, copy.global, static_cast<size_t>(copy.valid));
  std::memset(to + copy.valid, 0, static_cast<size_t>(copy.bytes - copy.valid));
}

}  // namespace

void check_aligned(uint64_t address, uint32_t align, const char* what) {
  if (address % align == 0) return;
  report(std::string(what) + ": address " + std::to_string(address) + " is not a multiple of " + std::to_string(align));
}

PtxState& ptx_state() {
  if (state.threads.empty()) {
    state.threads.resize(static_cast<size_t>(block_threads()));
    state.warpgroups.resize(static_cast<size_t>(block_threads() + ptx_model::kGroupThreads - 1) /
                            ptx_model::kGroupThreads);
  }
  return state;
}

void ptx_end_block() {
  for (size_t i = 0; i < state.threads.size(); ++i) {
    if (!state.threads[i].stores.empty()) {
      report("thread " + std::to_string(i) + " ends before its TMA stores have read shared memory (tma_store_wait)");
    }
  }
  for (const WarpgroupState& warpgroup : state.warpgroups) {
    if (!warpgroup.products.empty()) report("a warpgroup ends before its wgmma is done (wgmma_wait)");
  }
  if (!state.threads.empty()) state = {};
}

void ldmatrix(uint32_t* registers, int matrices, bool trans, uint32_t address) {
  const Inside inside;
  if (lane() < 8 * matrices) {
    check_aligned(address, kRowBytes, "ldmatrix");
    note_read(shared_pointer(address), kRowBytes, "ldmatrix");
  }
  static const char* const kNames[2][5] = {{"", "ldmatrix.x1", "ldmatrix.x2", "", "ldmatrix.x4"},
                                           {"", "ldmatrix.x1.trans", "ldmatrix.x2.trans", "", "ldmatrix.x4.trans"}};
  LdmatrixCall call{registers, matrices, trans, address};
  rendezvous(Scope::warp(), kNames[trans][matrices], &call, ldmatrix_body, Order::none);
}

void mma_m16n8k16(bool bf16, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const Inside inside;
  MmaCall call{bf16, d, a, b};
  rendezvous(
      Scope::warp(), bf16 ? "mma.m16n8k16.bf16" : "mma.m16n8k16.f16", &call,
      [](void* const* lanes, int) {
        mma_body(lanes, "mma.m16n8k16", [&](const auto& from_a, const auto& from_b, auto& to) {
          ptx_model::mma_m16n8k16(static_cast<MmaCall*>(lanes[0])->bf16, from_a, from_b, to);
        });
      },
      Order::none);
}

void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  const Inside inside;
  MmaCall call{false, d, a, b};
  rendezvous(
      Scope::warp(), "mma.m16n8k8.tf32", &call,
      [](void* const* lanes, int) { mma_body(lanes, "mma.m16n8k8", ptx_model::mma_m16n8k8_tf32); }, Order::none);
}

void cp_async(uint32_t shared, const void* global, int bytes, int valid_bytes) {
  const Inside inside;
  static constexpr const char* kWhat = "cp.async";
  check_aligned(shared, static_cast<uint32_t>(bytes), "cp.async, destination");
  check_aligned(reinterpret_cast<uintptr_t>(global), static_cast<uint32_t>(bytes), "cp.async, source");
  if (valid_bytes < 0 || valid_bytes > bytes) {
    report("cp.async: " + std::to_string(valid_bytes) + " valid bytes of " + std::to_string(bytes));
  }
  // Noted now, with a clock of its own: until the wait nobody may touch the destination, this thread included.
  Clock clock = fork(Agent::own);
  if (valid_bytes > 0) note_read(global, static_cast<size_t>(valid_bytes), kWhat, clock);
  note_write(shared_pointer(shared), static_cast<size_t>(bytes), kWhat, clock);
  my_ptx().copies.open.push_back(
      {shared, static_cast<const unsigned char*>(global), bytes, valid_bytes, std::move(clock)});
}

void cp_async_commit() {
  const Inside inside;
  my_ptx().copies.commit();
}

void cp_async_wait(int youngest) {
  const Inside inside;
  my_ptx().copies.finish(youngest, [](const CopyOperation& copy) {
    land(copy);
    acquire(copy.clock);
  });
}

void named_barrier(int id, int threads, bool wait) {
  const Inside inside;
  static constexpr const char* kWhat = "named barrier";
  if (id < 0 || id > 15) report("named barrier " + std::to_string(id) + ": ids are 0 to 15");
  if (threads <= 0 || threads % ptx_model::kLanes != 0 || threads > block_threads()) {
    report("named barrier " + std::to_string(id) + ": " + std::to_string(threads) +
           " threads is not a number of whole warps of the block");
  }
  if (wait) {
    rendezvous(Scope::named(id, threads), kWhat, nullptr, nullptr, Order::joined);
  } else {
    arrive(Scope::named(id, threads), kWhat);
  }
}

}  // namespace spinert::emulation
