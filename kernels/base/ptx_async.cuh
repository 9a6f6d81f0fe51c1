// ptx_async.cuh - cp.async, named barriers, register budgets, programmatic dependent launch (part of ptx.cuh).
//
// cp.async copies from global to shared memory behind the thread's back. The data is there for this thread after
// cp_async_wait, and for other threads after a barrier that follows it. In the emulation it lands at the wait and not
// before, and never if nobody waits.
#pragma once

#include "kernels/base/ptx_convert.cuh"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/ptx_twins.h"
#endif

namespace spinert::ptx {

// Registers that setmaxnreg takes: 24 to 256 in steps of 8. The kernel needs __launch_bounds__(threads, blocks) with
// both numbers, or the compiler drops the instruction; ptxas says so (C7508).
template <int R>
constexpr bool is_register_budget = R >= 24 && R <= 256 && R % 8 == 0;

#if defined(SPINERT_EMULATE_CUDA)

inline void cp_async_16(uint32_t shared, const void* global, int valid_bytes) {
  emulation::cp_async(shared, global, 16, valid_bytes);
}
inline void cp_async_8(uint32_t shared, const void* global, int valid_bytes) {
  emulation::cp_async(shared, global, 8, valid_bytes);
}
inline void cp_async_4(uint32_t shared, const void* global, int valid_bytes) {
  emulation::cp_async(shared, global, 4, valid_bytes);
}
inline void cp_async_commit() {
  emulation::cp_async_commit();
}
template <int N>
void cp_async_wait() {
  emulation::cp_async_wait(N);
}
inline void named_barrier_sync(int id, int threads) {
  emulation::named_barrier(id, threads, true);
}
inline void named_barrier_arrive(int id, int threads) {
  emulation::named_barrier(id, threads, false);
}
template <int R>
void setmaxnreg_inc() {
  static_assert(is_register_budget<R>);
}
template <int R>
void setmaxnreg_dec() {
  static_assert(is_register_budget<R>);
}
// Launches of the emulation follow one another, so there is nothing to wait for.
inline void grid_dependency_wait() {}
inline void grid_dependency_launch() {}

#else

// Copies valid_bytes (0 to 16) and fills the rest of the 16 with zero. Both addresses are 16-byte aligned, also where
// nothing is read. cp_async_8 and cp_async_4 likewise; these two go through the first-level cache.
SPINERT_PTX void cp_async_16(uint32_t shared, const void* global, int valid_bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "r"(shared), "l"(global), "r"(valid_bytes)
               : "memory");
}
SPINERT_PTX void cp_async_8(uint32_t shared, const void* global, int valid_bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;"
               :
               : "r"(shared), "l"(global), "r"(valid_bytes)
               : "memory");
}
SPINERT_PTX void cp_async_4(uint32_t shared, const void* global, int valid_bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;"
               :
               : "r"(shared), "l"(global), "r"(valid_bytes)
               : "memory");
}
// Closes a group: the copies of this thread since the last commit. An empty group counts too.
SPINERT_PTX void cp_async_commit() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}
// All groups but the N youngest have landed.
template <int N>
SPINERT_PTX void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(N) : "memory");
}

// Barrier `id` (0 to 15; 0 is that of __syncthreads) among `threads` threads, a multiple of 32: whole warps call.
SPINERT_PTX void named_barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" : : "r"(id), "r"(threads) : "memory");
}
// Counts as present without waiting.
SPINERT_PTX void named_barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" : : "r"(id), "r"(threads) : "memory");
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
// Registers per thread of this warpgroup, which all four warps change together.
template <int R>
SPINERT_PTX void setmaxnreg_inc() {
  static_assert(is_register_budget<R>);
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" : : "n"(R));
}
template <int R>
SPINERT_PTX void setmaxnreg_dec() {
  static_assert(is_register_budget<R>);
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" : : "n"(R));
}
#endif

// Waits for the memory of the kernel before this one; call it before reading what that kernel wrote. Cards before 9.0
// never start a kernel early.
SPINERT_PTX void grid_dependency_wait() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" : : : "memory");
#endif
}
// Lets the next kernel of the stream start once every block has said so or ended.
SPINERT_PTX void grid_dependency_launch() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" : : : "memory");
#endif
}

#endif

}  // namespace spinert::ptx
