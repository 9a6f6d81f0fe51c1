// ptx_mbarrier.cuh - mbarrier objects and the fences that go with them (part of ptx.cuh).
//
// An mbarrier is 8 bytes of shared memory, 8-byte aligned. A phase completes when `count` arrivals and all announced
// bytes have come; the phases have parity 0, 1, 0, ... Typical life:
//   one thread: mbarrier_init(bar, count); fence_mbarrier_init(); then everybody __syncthreads()
//   producer:   mbarrier_expect_tx(bar, bytes) counts as one arrival and announces bytes; TMA loads deliver them
//   consumer:   mbarrier_wait(bar, parity) returns once the phase of that parity has completed; it may be at most one
//               phase behind
#pragma once

#include "kernels/base/ptx_convert.cuh"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/ptx_twins.h"
#endif

namespace spinert::ptx {

#if defined(SPINERT_EMULATE_CUDA)

inline void mbarrier_init(uint32_t bar, int count) {
  emulation::mbarrier_init(bar, count);
}
inline void mbarrier_arrive(uint32_t bar) {
  emulation::mbarrier_arrive(bar, 0);
}
inline void mbarrier_expect_tx(uint32_t bar, uint32_t bytes) {
  emulation::mbarrier_arrive(bar, bytes);
}
inline void mbarrier_wait(uint32_t bar, uint32_t parity) {
  emulation::mbarrier_wait(bar, parity);
}
inline void fence_mbarrier_init() {
  emulation::fence_mbarrier_init();
}
inline void fence_proxy_async() {
  emulation::fence_proxy_async();
}

#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

SPINERT_PTX void mbarrier_init(uint32_t bar, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" : : "r"(bar), "r"(count) : "memory");
}
SPINERT_PTX void mbarrier_arrive(uint32_t bar) {
  asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.shared::cta.b64 state, [%0];\n}" : : "r"(bar) : "memory");
}
// One arrival that also announces bytes (mbarrier.arrive.expect_tx).
SPINERT_PTX void mbarrier_expect_tx(uint32_t bar, uint32_t bytes) {
  asm volatile("{\n.reg .b64 state;\nmbarrier.arrive.expect_tx.shared::cta.b64 state, [%0], %1;\n}"
               :
               : "r"(bar), "r"(bytes)
               : "memory");
}
// try_wait sleeps for a while of its own and says whether the phase has completed.
SPINERT_PTX void mbarrier_wait(uint32_t bar, uint32_t parity) {
  uint32_t done;
  do {
    asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
                 : "=r"(done)
                 : "r"(bar), "r"(parity)
                 : "memory");
  } while (done == 0);
}
// Makes an initialised mbarrier known to the asynchronous proxy; by the thread that initialised, before the barrier
// that tells the others.
SPINERT_PTX void fence_mbarrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" : : : "memory");
}
// Orders this thread's ordinary accesses to shared memory before later ones of the asynchronous proxy (wgmma operands,
// TMA): the writer calls it after its last write and before the barrier that tells the reader.
SPINERT_PTX void fence_proxy_async() {
  asm volatile("fence.proxy.async.shared::cta;" : : : "memory");
}

#endif

}  // namespace spinert::ptx
