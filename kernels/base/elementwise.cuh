// elementwise.cuh - what the kernels share in which a thread makes a few neighbouring elements: vectors of channels,
// one thread per item, the choice of the element type.
#pragma once

#include "kernels/base/cuda.cuh"

namespace spinert {

// N neighbouring channels, N a power of two, moved in pieces of at most 16 bytes: one piece for 8 channels of a half
// type, two for 8 of f32.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Lanes {
  T lane[N];
};

inline constexpr int kVectorLanes = 8;

template <int N, class T>
__device__ __forceinline__ Lanes<T, N> load_lanes(const T* from) {
  return *reinterpret_cast<const Lanes<T, N>*>(from);
}
template <class T, int N>
__device__ __forceinline__ void store_lanes(T* to, const Lanes<T, N>& value) {
  *reinterpret_cast<Lanes<T, N>*>(to) = value;
}

// One thread per item: the item of this thread, and the blocks for so many items. A tensor has at most 2^31 elements
// (kMaxElements), so that an item in use fits 32 bits, which divide several times faster than 64.
__device__ __forceinline__ int64_t thread_item() {
  return int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}
inline int64_t item_blocks(int64_t items, int threads) {
  return (items + threads - 1) / threads;
}

// Splits `item` into its place along an axis of that extent, which is returned, and the rest.
__device__ __forceinline__ int32_t take_axis(uint32_t& item, int32_t extent) {
  const auto size = static_cast<uint32_t>(extent);
  const uint32_t place = item % size;
  item /= size;
  return static_cast<int32_t>(place);
}

// Calls f with a value of the element type of an activation.
template <class Function>
void with_activation_type(DType type, Function f) {
  switch (type) {
    case DType::f16: return f(f16{});
    case DType::bf16: return f(bf16{});
    default: return f(float{});
  }
}

}  // namespace spinert
