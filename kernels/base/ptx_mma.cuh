// ptx_mma.cuh - ldmatrix and mma (part of ptx.cuh): one warp multiplies small matrices held in the registers of its
// lanes. All 32 lanes of the warp call together.
//
// Fragments, with g = lane / 4 and t = lane % 4 (PTX ISA, "Matrix fragments for mma.m16n8k16 / m16n8k8"):
//   m16n8k16  a[0]: row g,   k 2t, 2t+1       a[1]: row g+8, k 2t, 2t+1     (each register two 16-bit values, low
//   first)
//             a[2]: row g,   k 2t+8, 2t+9     a[3]: row g+8, k 2t+8, 2t+9
//             b[0]: k 2t, 2t+1, column g      b[1]: k 2t+8, 2t+9, column g
//             d[0], d[1]: row g, columns 2t, 2t+1     d[2], d[3]: row g+8, columns 2t, 2t+1
//   m16n8k8   a[0]: row g, k t   a[1]: row g+8, k t   a[2]: row g, k t+4   a[3]: row g+8, k t+4
//   (tf32)    b[0]: k t, column g   b[1]: k t+4, column g      d as above
// ldmatrix: lane 8 m + r gives the address of row r (16 bytes) of matrix m, 16-byte aligned; register m receives
// columns 2t, 2t+1 of row g of matrix m, or with trans rows 2t, 2t+1 of column g. x2 uses the addresses of lanes 0
// to 15.
#pragma once

#include "kernels/base/ptx_convert.cuh"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/ptx_twins.h"
#endif

namespace spinert::ptx {

#if defined(SPINERT_EMULATE_CUDA)

inline uint32_t shared_address(const void* pointer) {
  return emulation::shared_address(pointer);
}
inline void ldmatrix_x4(uint32_t (&r)[4], uint32_t address) {
  emulation::ldmatrix(r, 4, false, address);
}
inline void ldmatrix_x2(uint32_t (&r)[2], uint32_t address) {
  emulation::ldmatrix(r, 2, false, address);
}
inline void ldmatrix_x1(uint32_t (&r)[1], uint32_t address) {
  emulation::ldmatrix(r, 1, false, address);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t address) {
  emulation::ldmatrix(r, 4, true, address);
}
inline void ldmatrix_x2_trans(uint32_t (&r)[2], uint32_t address) {
  emulation::ldmatrix(r, 2, true, address);
}
inline void ldmatrix_x1_trans(uint32_t (&r)[1], uint32_t address) {
  emulation::ldmatrix(r, 1, true, address);
}
template <class T>
void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  static_assert(std::is_same_v<T, f16> || std::is_same_v<T, bf16>);
  emulation::mma_m16n8k16(std::is_same_v<T, bf16>, d, a, b);
}
inline void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  emulation::mma_m16n8k8_tf32(d, a, b);
}

#else

// The address in the shared window, which is what these instructions take.
SPINERT_PTX uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

SPINERT_PTX void ldmatrix_x4(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
SPINERT_PTX void ldmatrix_x2(uint32_t (&r)[2], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(address)
               : "memory");
}
SPINERT_PTX void ldmatrix_x1(uint32_t (&r)[1], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(r[0]) : "r"(address) : "memory");
}
SPINERT_PTX void ldmatrix_x4_trans(uint32_t (&r)[4], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
SPINERT_PTX void ldmatrix_x2_trans(uint32_t (&r)[2], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(address)
               : "memory");
}
SPINERT_PTX void ldmatrix_x1_trans(uint32_t (&r)[1], uint32_t address) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(r[0]) : "r"(address) : "memory");
}

// d += a * b with float sums. The order of the sums inside the instruction is the hardware's.
template <class T>
SPINERT_PTX void mma_m16n8k16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  static_assert(std::is_same_v<T, f16> || std::is_same_v<T, bf16>);
  if constexpr (std::is_same_v<T, f16>) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}
// Operands from to_tf32(); the low 13 bits of any other float are ignored.
SPINERT_PTX void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#endif

}  // namespace spinert::ptx
