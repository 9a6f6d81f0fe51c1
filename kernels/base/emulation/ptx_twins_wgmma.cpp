// ptx_twins_wgmma.cpp - wgmma: the operands are read, and the accumulators change, when the group is waited for.
#include <cstring>

#include "kernels/base/emulation/ptx_model.h"
#include "kernels/base/emulation/ptx_state.h"
#include "kernels/base/emulation/ptx_twins.h"

namespace spinert::emulation {
namespace {

using ptx_model::Descriptor;
using ptx_model::kGroupThreads;

constexpr int kRows = 64, kRowsOfWarp = 16, kHalfBytes = 16, kHalves = 2, kPerHalf = 8;
constexpr int kMostWidth = 256, kK = kHalves * kPerHalf;

WarpgroupState& state_of(int group) {
  return ptx_state().warpgroups[static_cast<size_t>(group)];
}
int my_group() {
  return thread_in_block() / kGroupThreads;
}

bool whole_group(void* const* threads, const char* what) {
  for (int i = 0; i < kGroupThreads; ++i) {
    if (threads[i]) continue;
    report(std::string(what) + ": thread " + std::to_string(i) + " of the warpgroup is missing");
    return false;
  }
  return true;
}

struct GroupCall {
  int group, youngest;
};
struct ProductCall {
  int group;
  bool bf16, scale_d;
  int n;
  float* d;
  uint64_t a, b;
};

Descriptor checked_descriptor(uint64_t bits, const char* operand) {
  const Descriptor descriptor = ptx_model::decode_descriptor(bits);
  const std::string where = std::string("wgmma, descriptor of ") + operand;
  if (descriptor.base_offset != 0) report(where + ": a base offset, which no wrapper makes");
  if (descriptor.swizzle != ptx::Swizzle::none) {
    const auto period = static_cast<uint32_t>(ptx::swizzle_period(descriptor.swizzle));
    if (descriptor.start % period >= static_cast<uint32_t>(ptx::swizzle_span(descriptor.swizzle))) {
      report(where + ": shared address " + std::to_string(descriptor.start) +
             " is not in the first row of a period of the swizzle");
    }
  }
  return descriptor;
}

// The asynchronous proxy reads these rows on behalf of the warp whose first lane runs.
void note_rows(const Descriptor& descriptor, int from, int to, const Clock& clock) {
  for (int row = from; row < to; ++row) {
    for (int half = 0; half < kHalves; ++half) {
      const unsigned char* at = shared_pointer(ptx_model::operand_address(descriptor, row, half));
      check_fenced(at, kHalfBytes, "wgmma");
      note_read(at, kHalfBytes, "wgmma", clock);
    }
  }
}

void gather(const Descriptor& descriptor, int rows, uint16_t* to) {
  for (int row = 0; row < rows; ++row) {
    for (int half = 0; half < kHalves; ++half, to += kPerHalf) {
      std::memcpy(to, shared_pointer(ptx_model::operand_address(descriptor, row, half)), kHalfBytes);
    }
  }
}

void multiply(const ProductOperation& product) {
  static uint16_t a[kRows * kK], b[kMostWidth * kK];  // not on the small stack of a fiber
  gather(ptx_model::decode_descriptor(product.a), kRows, a);
  gather(ptx_model::decode_descriptor(product.b), product.n, b);
  ptx_model::wgmma_m64k16(product.bf16, product.n, a, b, product.scale_d, product.d.data());
}

void product_body(void* const* threads, int) {
  if (!whole_group(threads, "wgmma")) return;
  const auto& first = *static_cast<const ProductCall*>(threads[0]);
  WarpgroupState& state = state_of(first.group);
  if (!state.fenced) report("wgmma: no wgmma_fence before the first product of a group");
  ProductOperation product{first.bf16, first.scale_d, first.n, first.a, first.b, {}, std::move(state.issued)};
  state.issued.clear();
  for (int i = 0; i < kGroupThreads; ++i) {
    const auto& call = *static_cast<const ProductCall*>(threads[i]);
    if (call.a != first.a || call.b != first.b || call.n != first.n || call.scale_d != first.scale_d ||
        call.bf16 != first.bf16) {
      report("wgmma: the threads of the warpgroup differ in their operands");
      return;
    }
    product.d[static_cast<size_t>(i)] = call.d;
  }
  state.products.open.push_back(std::move(product));
}

}  // namespace

void wgmma_fence() {
  const Inside inside;
  GroupCall call{my_group(), 0};
  rendezvous(
      Scope::warpgroup(), "wgmma.fence", &call,
      [](void* const* threads, int) {
        if (whole_group(threads, "wgmma.fence")) state_of(static_cast<GroupCall*>(threads[0])->group).fenced = true;
      },
      Order::none);
}

void wgmma(bool bf16, int n, float* d, uint64_t a, uint64_t b, bool scale_d) {
  const Inside inside;
  if (lane() == 0) {
    const Descriptor rows = checked_descriptor(a, "A"), columns = checked_descriptor(b, "B");
    const Clock clock = fork(Agent::fresh);
    const int first = warp() % 4 * kRowsOfWarp;
    note_rows(rows, first, first + kRowsOfWarp, clock);
    note_rows(columns, 0, n, clock);
    state_of(my_group()).issued.push_back(clock);
  }
  ProductCall call{my_group(), bf16, scale_d, n, d, a, b};
  rendezvous(Scope::warpgroup(), "wgmma.mma_async", &call, product_body, Order::none);
}

void wgmma_commit() {
  const Inside inside;
  GroupCall call{my_group(), 0};
  rendezvous(
      Scope::warpgroup(), "wgmma.commit_group", &call,
      [](void* const* threads, int) {
        if (!whole_group(threads, "wgmma.commit_group")) return;
        WarpgroupState& state = state_of(static_cast<GroupCall*>(threads[0])->group);
        state.products.commit();
        state.fenced = false;
      },
      Order::none);
}

void wgmma_wait(int youngest) {
  const Inside inside;
  GroupCall call{my_group(), youngest};
  rendezvous(
      Scope::warpgroup(), "wgmma.wait_group", &call,
      [](void* const* threads, int) {
        if (!whole_group(threads, "wgmma.wait_group")) return;
        const auto& first = *static_cast<GroupCall*>(threads[0]);
        WarpgroupState& state = state_of(first.group);
        state.landed.clear();
        state.products.finish(first.youngest, [&](ProductOperation& product) {
          multiply(product);
          for (Clock& clock : product.clocks) state.landed.push_back(std::move(clock));
        });
      },
      Order::none);
  for (const Clock& clock : state_of(my_group()).landed) acquire(clock);
}

}  // namespace spinert::emulation
