// cuda_emulation.h - the part of the CUDA language that cuda.cuh names, as C++ over the fibers of emulation/fibers.h.
// Included by cuda.cuh in place of <cuda_runtime.h>. What is not here is not part of the vocabulary and does not
// compile; atomicAdd on float is left out by intent (results would depend on the order of threads).
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/base/emulation/fibers.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))

using uint3 = spinert::emulation::Index3;
using dim3 = spinert::emulation::Index3;
#define threadIdx (::spinert::emulation::thread_index())
#define blockIdx (::spinert::emulation::block_index())
#define blockDim (::spinert::emulation::block_size())
#define gridDim (::spinert::emulation::grid_size())
inline constexpr int warpSize = 32;

// ---- vectors
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) {
  return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}
inline int2 make_int2(int x, int y) {
  return {x, y};
}
inline int4 make_int4(int x, int y, int z, int w) {
  return {x, y, z, w};
}
inline uint2 make_uint2(unsigned x, unsigned y) {
  return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) {
  return {x, y, z, w};
}

// ---- bits
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline int __float_as_int(float value) {
  return std::bit_cast<int>(value);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline float __int_as_float(int bits) {
  return std::bit_cast<float>(bits);
}
inline int __popc(unsigned bits) {
  return std::popcount(bits);
}
inline int __popcll(unsigned long long bits) {
  return std::popcount(bits);
}
inline int __ffs(int bits) {  // 1 for the lowest bit, 0 for none
  return bits == 0 ? 0 : std::countr_zero(static_cast<unsigned>(bits)) + 1;
}
inline int __ffsll(long long bits) {
  return bits == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(bits)) + 1;
}
inline int __clz(int bits) {
  return std::countl_zero(static_cast<unsigned>(bits));
}
inline int __clzll(long long bits) {
  return std::countl_zero(static_cast<unsigned long long>(bits));
}
inline unsigned __brev(unsigned bits) {
  bits = (bits >> 1 & 0x55555555u) | (bits & 0x55555555u) << 1;
  bits = (bits >> 2 & 0x33333333u) | (bits & 0x33333333u) << 2;
  bits = (bits >> 4 & 0x0F0F0F0Fu) | (bits & 0x0F0F0F0Fu) << 4;
  return __builtin_bswap32(bits);
}

// ---- min and max of two of one type; of floats, the one that is a number, as on the card
#define SPINERT_MIN_MAX(Type)       \
  inline Type min(Type a, Type b) { \
    return b < a ? b : a;           \
  }                                 \
  inline Type max(Type a, Type b) { \
    return a < b ? b : a;           \
  }
SPINERT_MIN_MAX(int)
SPINERT_MIN_MAX(unsigned)
SPINERT_MIN_MAX(long)
SPINERT_MIN_MAX(unsigned long)
SPINERT_MIN_MAX(long long)
SPINERT_MIN_MAX(unsigned long long)
#undef SPINERT_MIN_MAX
inline float min(float a, float b) {
  return std::fmin(a, b);
}
inline float max(float a, float b) {
  return std::fmax(a, b);
}

template <class T>
T __ldg(const T* address) {
  return *address;
}

// ---- barriers
inline void __syncthreads() {
  using namespace spinert::emulation;
  rendezvous(Scope::block(), "__syncthreads", nullptr, nullptr, Order::joined);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) {
  using namespace spinert::emulation;
  rendezvous(Scope::warp(mask), "__syncwarp", nullptr, nullptr, Order::joined);
}
// Blocks run one after the other and switches happen at calls alone, so memory is always coherent. A fence orders
// nothing between the threads of a block for the race check; that takes a barrier.
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- warp collectives (cuda_collectives.cpp)
namespace spinert::emulation {

enum class Shuffle : unsigned char { index, up, down, exclusive_or };
uint64_t shuffle(Shuffle kind, const char* what, unsigned mask, uint64_t value, int argument, int width);
unsigned ballot(const char* what, unsigned mask, bool vote);

template <class T>
T shuffle_value(Shuffle kind, const char* what, unsigned mask, T value, int argument, int width) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  return std::bit_cast<T>(static_cast<Bits>(shuffle(kind, what, mask, std::bit_cast<Bits>(value), argument, width)));
}

enum class Atomic : unsigned char { add, max, min, bit_or, bit_and, exchange };
int atomic(Atomic kind, int* address, int value);
unsigned atomic(Atomic kind, unsigned* address, unsigned value);
unsigned long long atomic(Atomic kind, unsigned long long* address, unsigned long long value);
int atomic_cas(int* address, int compare, int value);
unsigned atomic_cas(unsigned* address, unsigned compare, unsigned value);
unsigned long long atomic_cas(unsigned long long* address, unsigned long long compare, unsigned long long value);

}  // namespace spinert::emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32) {
  using namespace spinert::emulation;
  return shuffle_value(Shuffle::index, "__shfl_sync", mask, value, lane, width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  using namespace spinert::emulation;
  return shuffle_value(Shuffle::up, "__shfl_up_sync", mask, value, static_cast<int>(delta), width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  using namespace spinert::emulation;
  return shuffle_value(Shuffle::down, "__shfl_down_sync", mask, value, static_cast<int>(delta), width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
  using namespace spinert::emulation;
  return shuffle_value(Shuffle::exclusive_or, "__shfl_xor_sync", mask, value, lanes, width);
}
inline unsigned __ballot_sync(unsigned mask, int vote) {
  return spinert::emulation::ballot("__ballot_sync", mask, vote != 0);
}
inline int __any_sync(unsigned mask, int vote) {
  return spinert::emulation::ballot("__any_sync", mask, vote != 0) != 0;
}
inline int __all_sync(unsigned mask, int vote) {
  return spinert::emulation::ballot("__all_sync", mask, vote == 0) == 0;
}

// ---- atomics: the old value comes back
#define SPINERT_ATOMIC(name, kind)                                                        \
  inline int name(int* address, int value) {                                              \
    return spinert::emulation::atomic(spinert::emulation::Atomic::kind, address, value);  \
  }                                                                                       \
  inline unsigned name(unsigned* address, unsigned value) {                               \
    return spinert::emulation::atomic(spinert::emulation::Atomic::kind, address, value);  \
  }                                                                                       \
  inline unsigned long long name(unsigned long long* address, unsigned long long value) { \
    return spinert::emulation::atomic(spinert::emulation::Atomic::kind, address, value);  \
  }
SPINERT_ATOMIC(atomicAdd, add)
SPINERT_ATOMIC(atomicMax, max)
SPINERT_ATOMIC(atomicMin, min)
SPINERT_ATOMIC(atomicOr, bit_or)
SPINERT_ATOMIC(atomicAnd, bit_and)
SPINERT_ATOMIC(atomicExch, exchange)
#undef SPINERT_ATOMIC
inline int atomicCAS(int* address, int compare, int value) {
  return spinert::emulation::atomic_cas(address, compare, value);
}
inline unsigned atomicCAS(unsigned* address, unsigned compare, unsigned value) {
  return spinert::emulation::atomic_cas(address, compare, value);
}
inline unsigned long long atomicCAS(unsigned long long* address, unsigned long long compare, unsigned long long value) {
  return spinert::emulation::atomic_cas(address, compare, value);
}
