// ptx_wgmma.cuh - wgmma.mma_async (part of ptx.cuh): 128 threads, four whole warps that begin at a multiple of four,
// multiply operands in shared memory. D [64][N] += A [64][16] B [N][16], 16-bit operands, both K-major.
//
// Thread t of the group, w = t / 32, l = t % 32: d[i] is row 16 w + l / 4 + 8 (i / 2 % 2), column 8 (i / 4) +
// 2 (l % 4) + i % 2.
// Operands, by wgmma_descriptor(start, leading_bytes, stride_bytes, swizzle), eight rows at a time:
//   with a swizzle  a row is swizzle_span() bytes, 16-byte pieces permuted as TMA does it; eight rows are one period;
//                   stride_bytes leads to the next eight rows (swizzle_period() when dense), leading_bytes is not used.
//                   The pattern starts at a multiple of the period; the next 16 of k are 32 bytes further in start.
//   without         eight rows of 16 bytes lie densely; leading_bytes leads to k + 8, stride_bytes to the next rows.
// Order: wgmma_fence(), products, wgmma_commit(), wgmma_wait<n>(). Until the wait neither d nor the operands may be
// touched. Operands written by threads rather than TMA need fence_proxy_async() by the writers before the barrier.
#pragma once

#include "kernels/base/ptx_convert.cuh"
#include "kernels/base/tensor_map.h"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/ptx_twins.h"
#endif

namespace spinert::ptx {

// Widths that the wrapper has.
template <int N>
constexpr bool is_wgmma_width = N == 8 || (N >= 16 && N <= 256 && N % 16 == 0);

#if defined(SPINERT_EMULATE_CUDA)

inline uint64_t wgmma_descriptor(uint32_t shared, int leading_bytes, int stride_bytes, Swizzle swizzle) {
  return ptx_model::encode_descriptor(shared, leading_bytes, stride_bytes, swizzle);
}
inline void wgmma_fence() {
  emulation::wgmma_fence();
}
inline void wgmma_commit() {
  emulation::wgmma_commit();
}
template <int N>
void wgmma_wait() {
  emulation::wgmma_wait(N);
}
template <class T, int N>
void wgmma_m64k16(float (&d)[N / 2], uint64_t a, uint64_t b, bool scale_d = true) {
  static_assert(is_wgmma_width<N> && (std::is_same_v<T, f16> || std::is_same_v<T, bf16>));
  emulation::wgmma(std::is_same_v<T, bf16>, N, d, a, b, scale_d);
}

#elif !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

SPINERT_PTX uint64_t wgmma_descriptor(uint32_t shared, int leading_bytes, int stride_bytes, Swizzle swizzle) {
  const uint32_t mode = swizzle == Swizzle::none ? 0u : 4u - static_cast<uint32_t>(swizzle);
  const uint32_t low = ((shared & 0x3FFFFu) >> 4) | (static_cast<uint32_t>(leading_bytes) & 0x3FFFFu) >> 4 << 16;
  const uint32_t high = ((static_cast<uint32_t>(stride_bytes) & 0x3FFFFu) >> 4) | mode << 30;
  return static_cast<uint64_t>(high) << 32 | low;
}
// Before the first product of a batch: the registers of d are as this thread left them.
SPINERT_PTX void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" : : : "memory");
}
SPINERT_PTX void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" : : : "memory");
}
// All groups but the N youngest are done.
template <int N>
SPINERT_PTX void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" : : "n"(N) : "memory");
}

// Lists of the registers of d, eight at a time: as text for the instruction and as operands for the compiler.
#define SPINERT_R4 "%0, %1, %2, %3"
#define SPINERT_R8 SPINERT_R4 ", %4, %5, %6, %7"
#define SPINERT_R16 SPINERT_R8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define SPINERT_R24 SPINERT_R16 ", %16, %17, %18, %19, %20, %21, %22, %23"
#define SPINERT_R32 SPINERT_R24 ", %24, %25, %26, %27, %28, %29, %30, %31"
#define SPINERT_R40 SPINERT_R32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define SPINERT_R48 SPINERT_R40 ", %40, %41, %42, %43, %44, %45, %46, %47"
#define SPINERT_R56 SPINERT_R48 ", %48, %49, %50, %51, %52, %53, %54, %55"
#define SPINERT_R64 SPINERT_R56 ", %56, %57, %58, %59, %60, %61, %62, %63"
#define SPINERT_R72 SPINERT_R64 ", %64, %65, %66, %67, %68, %69, %70, %71"
#define SPINERT_R80 SPINERT_R72 ", %72, %73, %74, %75, %76, %77, %78, %79"
#define SPINERT_R88 SPINERT_R80 ", %80, %81, %82, %83, %84, %85, %86, %87"
#define SPINERT_R96 SPINERT_R88 ", %88, %89, %90, %91, %92, %93, %94, %95"
#define SPINERT_R104 SPINERT_R96 ", %96, %97, %98, %99, %100, %101, %102, %103"
#define SPINERT_R112 SPINERT_R104 ", %104, %105, %106, %107, %108, %109, %110, %111"
#define SPINERT_R120 SPINERT_R112 ", %112, %113, %114, %115, %116, %117, %118, %119"
#define SPINERT_R128 SPINERT_R120 ", %120, %121, %122, %123, %124, %125, %126, %127"
#define SPINERT_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SPINERT_D8(i) SPINERT_D4(i), SPINERT_D4(i + 4)
#define SPINERT_C4 SPINERT_D4(0)
#define SPINERT_C8 SPINERT_D8(0)
#define SPINERT_C16 SPINERT_C8, SPINERT_D8(8)
#define SPINERT_C24 SPINERT_C16, SPINERT_D8(16)
#define SPINERT_C32 SPINERT_C24, SPINERT_D8(24)
#define SPINERT_C40 SPINERT_C32, SPINERT_D8(32)
#define SPINERT_C48 SPINERT_C40, SPINERT_D8(40)
#define SPINERT_C56 SPINERT_C48, SPINERT_D8(48)
#define SPINERT_C64 SPINERT_C56, SPINERT_D8(56)
#define SPINERT_C72 SPINERT_C64, SPINERT_D8(64)
#define SPINERT_C80 SPINERT_C72, SPINERT_D8(72)
#define SPINERT_C88 SPINERT_C80, SPINERT_D8(80)
#define SPINERT_C96 SPINERT_C88, SPINERT_D8(88)
#define SPINERT_C104 SPINERT_C96, SPINERT_D8(96)
#define SPINERT_C112 SPINERT_C104, SPINERT_D8(104)
#define SPINERT_C120 SPINERT_C112, SPINERT_D8(112)
#define SPINERT_C128 SPINERT_C120, SPINERT_D8(120)
// REGISTERS is N / 2; A, B and S are the numbers of the operands behind d.
#define SPINERT_WGMMA(N, REGISTERS, A, B, S, TYPE)                                                       \
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %" #S                                                   \
               ", 0;\n"                                                                                  \
               "wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {" SPINERT_R##REGISTERS \
               "}, "                                                                                     \
               "%" #A ", %" #B ", p, 1, 1, 0, 0;\n}"                                                     \
               : SPINERT_C##REGISTERS                                                                    \
               : "l"(a), "l"(b), "r"(static_cast<int32_t>(scale_d))                                      \
               : "memory")
#define SPINERT_WGMMA_WIDTH(N, REGISTERS, A, B, S)   \
  if constexpr (N_ == N && std::is_same_v<T, f16>) { \
    SPINERT_WGMMA(N, REGISTERS, A, B, S, "f16");     \
  } else if constexpr (N_ == N) {                    \
    SPINERT_WGMMA(N, REGISTERS, A, B, S, "bf16");    \
  }

// d += a b, or d = a b if not scale_d.
template <class T, int N_>
SPINERT_PTX void wgmma_m64k16(float (&d)[N_ / 2], uint64_t a, uint64_t b, bool scale_d = true) {
  static_assert(is_wgmma_width<N_> && (std::is_same_v<T, f16> || std::is_same_v<T, bf16>));
  SPINERT_WGMMA_WIDTH(8, 4, 4, 5, 6)
  SPINERT_WGMMA_WIDTH(16, 8, 8, 9, 10)
  SPINERT_WGMMA_WIDTH(32, 16, 16, 17, 18)
  SPINERT_WGMMA_WIDTH(48, 24, 24, 25, 26)
  SPINERT_WGMMA_WIDTH(64, 32, 32, 33, 34)
  SPINERT_WGMMA_WIDTH(80, 40, 40, 41, 42)
  SPINERT_WGMMA_WIDTH(96, 48, 48, 49, 50)
  SPINERT_WGMMA_WIDTH(112, 56, 56, 57, 58)
  SPINERT_WGMMA_WIDTH(128, 64, 64, 65, 66)
  SPINERT_WGMMA_WIDTH(144, 72, 72, 73, 74)
  SPINERT_WGMMA_WIDTH(160, 80, 80, 81, 82)
  SPINERT_WGMMA_WIDTH(176, 88, 88, 89, 90)
  SPINERT_WGMMA_WIDTH(192, 96, 96, 97, 98)
  SPINERT_WGMMA_WIDTH(208, 104, 104, 105, 106)
  SPINERT_WGMMA_WIDTH(224, 112, 112, 113, 114)
  SPINERT_WGMMA_WIDTH(240, 120, 120, 121, 122)
  SPINERT_WGMMA_WIDTH(256, 128, 128, 129, 130)
}

#undef SPINERT_D4
#undef SPINERT_D8
#undef SPINERT_WGMMA
#undef SPINERT_WGMMA_WIDTH

#endif

}  // namespace spinert::ptx
