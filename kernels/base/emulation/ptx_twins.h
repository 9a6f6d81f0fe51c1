// ptx_twins.h - host twins of the PTX instructions, called by the wrappers of ptx_*.cuh for the thread that runs.
// Misuse is reported (fibers.h) and abandons the launch.
#pragma once

#include "kernels/base/emulation/fibers.h"
#include "kernels/base/tensor_map.h"

namespace spinert::emulation {

// ---- one warp together
void ldmatrix(uint32_t* registers, int matrices, bool trans, uint32_t address);
void mma_m16n8k16(bool bf16, float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);
void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]);

// ---- one thread
// The bytes are read and land at the wait of their group.
void cp_async(uint32_t shared, const void* global, int bytes, int valid_bytes);
void cp_async_commit();
void cp_async_wait(int youngest);

// Whole warps.
void named_barrier(int id, int threads, bool wait);

// ---- mbarriers
void mbarrier_init(uint32_t bar, int count);
void mbarrier_arrive(uint32_t bar, uint32_t expected_bytes);
void mbarrier_wait(uint32_t bar, uint32_t parity);
void fence_mbarrier_init();
void fence_proxy_async();

// ---- tensor memory accelerator; one thread. coordinates: as many as the map has dimensions.
void tma_load_tile(uint32_t shared, const ptx::TensorMap* map, uint32_t bar, int rank, const int* coordinates);
void tma_load_im2col(uint32_t shared, const ptx::TensorMap* map, uint32_t bar, const int* coordinates, int offset_w,
                     int offset_h);
// The box is read and written at the wait of its group.
void tma_store_tile(const ptx::TensorMap* map, uint32_t shared, int rank, const int* coordinates);
void tma_store_commit();
void tma_store_wait(int youngest);

// ---- one warpgroup together
void wgmma_fence();
// Operands are read and d changes at the wait of the group.
void wgmma(bool bf16, int n, float* d, uint64_t a, uint64_t b, bool scale_d);
void wgmma_commit();
void wgmma_wait(int youngest);

}  // namespace spinert::emulation
