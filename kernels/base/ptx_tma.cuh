// ptx_tma.cuh - the tensor memory accelerator (part of ptx.cuh): one thread starts the copy of a whole box between
// global and shared memory. Maps: tensor_map.h, whose rules on boxes and swizzles apply.
//
// Loads: the destination is 128-byte aligned, with a swizzle at a multiple of swizzle_period(); coordinates may lie
// outside the tensor, which reads as zero. All bytes of the box, zeros included, count on the mbarrier. The destination
// must not be in use any more: whoever read it has arrived somewhere where the issuing thread has waited.
// Stores: the writers of the box call fence_proxy_async(), then a barrier, then one thread stores, commits, and waits
// with tma_store_wait<N>() before the shared memory is written again or the thread ends.
#pragma once

#include "kernels/base/ptx_convert.cuh"
#include "kernels/base/tensor_map.h"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/ptx_twins.h"
#endif

namespace spinert::ptx {

#if defined(SPINERT_EMULATE_CUDA)

inline void prefetch_tensor_map(const TensorMap*) {}
inline void tma_load_tile_2d(uint32_t shared, const TensorMap* map, uint32_t bar, int c0, int c1) {
  const int coordinates[] = {c0, c1};
  emulation::tma_load_tile(shared, map, bar, 2, coordinates);
}
inline void tma_load_tile_3d(uint32_t shared, const TensorMap* map, uint32_t bar, int c0, int c1, int c2) {
  const int coordinates[] = {c0, c1, c2};
  emulation::tma_load_tile(shared, map, bar, 3, coordinates);
}
inline void tma_load_tile_4d(uint32_t shared, const TensorMap* map, uint32_t bar, int c0, int c1, int c2, int c3) {
  const int coordinates[] = {c0, c1, c2, c3};
  emulation::tma_load_tile(shared, map, bar, 4, coordinates);
}
inline void tma_load_im2col_4d(uint32_t shared, const TensorMap* map, uint32_t bar, int c, int w, int h, int n,
                               uint16_t offset_w, uint16_t offset_h) {
  const int coordinates[] = {c, w, h, n};
  emulation::tma_load_im2col(shared, map, bar, coordinates, offset_w, offset_h);
}
inline void tma_store_tile_2d(const TensorMap* map, uint32_t shared, int c0, int c1) {
  const int coordinates[] = {c0, c1};
  emulation::tma_store_tile(map, shared, 2, coordinates);
}
inline void tma_store_tile_3d(const TensorMap* map, uint32_t shared, int c0, int c1, int c2) {
  const int coordinates[] = {c0, c1, c2};
  emulation::tma_store_tile(map, shared, 3, coordinates);
}
inline void tma_store_tile_4d(const TensorMap* map, uint32_t shared, int c0, int c1, int c2, int c3) {
  const int coordinates[] = {c0, c1, c2, c3};
  emulation::tma_store_tile(map, shared, 4, coordinates);
}
inline void tma_store_commit() {
  emulation::tma_store_commit();
}
template <int N>
void tma_store_wait() {
  emulation::tma_store_wait(N);
}

#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

// Fetches the map itself, so that the first load does not wait for it.
SPINERT_PTX void prefetch_tensor_map(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" : : "l"(map) : "memory");
}

SPINERT_PTX void tma_load_tile_2d(uint32_t shared, const TensorMap* map, uint32_t bar, int c0, int c1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
      :
      : "r"(shared), "l"(map), "r"(bar), "r"(c0), "r"(c1)
      : "memory");
}
SPINERT_PTX void tma_load_tile_3d(uint32_t shared, const TensorMap* map, uint32_t bar, int c0, int c1, int c2) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], "
      "[%2];"
      :
      : "r"(shared), "l"(map), "r"(bar), "r"(c0), "r"(c1), "r"(c2)
      : "memory");
}
SPINERT_PTX void tma_load_tile_4d(uint32_t shared, const TensorMap* map, uint32_t bar, int c0, int c1, int c2, int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], "
      "[%2];"
      :
      : "r"(shared), "l"(map), "r"(bar), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
      : "memory");
}
// The first pixel is at (w, h, n) inside the box of corners of the map, before the offsets of the tap are added.
SPINERT_PTX void tma_load_im2col_4d(uint32_t shared, const TensorMap* map, uint32_t bar, int c, int w, int h, int n,
                                    uint16_t offset_w, uint16_t offset_h) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8};"
      :
      : "r"(shared), "l"(map), "r"(bar), "r"(c), "r"(w), "r"(h), "r"(n), "h"(offset_w), "h"(offset_h)
      : "memory");
}

SPINERT_PTX void tma_store_tile_2d(const TensorMap* map, uint32_t shared, int c0, int c1) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];"
               :
               : "l"(map), "r"(shared), "r"(c0), "r"(c1)
               : "memory");
}
SPINERT_PTX void tma_store_tile_3d(const TensorMap* map, uint32_t shared, int c0, int c1, int c2) {
  asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4}], [%1];"
               :
               : "l"(map), "r"(shared), "r"(c0), "r"(c1), "r"(c2)
               : "memory");
}
SPINERT_PTX void tma_store_tile_4d(const TensorMap* map, uint32_t shared, int c0, int c1, int c2, int c3) {
  asm volatile("cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group [%0, {%2, %3, %4, %5}], [%1];"
               :
               : "l"(map), "r"(shared), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
               : "memory");
}
SPINERT_PTX void tma_store_commit() {
  asm volatile("cp.async.bulk.commit_group;" : : : "memory");
}
// All groups but the N youngest have read their shared memory. What they write is there for the next kernel.
template <int N>
SPINERT_PTX void tma_store_wait() {
  asm volatile("cp.async.bulk.wait_group.read %0;" : : "n"(N) : "memory");
}

#endif

}  // namespace spinert::ptx
