// block_scan.cuh - prefix sums and the like over the threads of one block, in the order of the threads.
#pragma once

#include <limits>

#include "kernels/base/cuda.cuh"

namespace spinert {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullWarp = 0xffffffffu;

struct ScanSum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct ScanMin {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b < a ? b : a;
  }
};

template <class T>
struct Scan {
  T inclusive;  // of this thread's value and those of all threads before it
  T total;      // of all threads
};

// The inclusive scan within a warp; all its lanes call it.
template <class T, class Combine>
__device__ T warp_scan(T value, Combine combine) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const T before = __shfl_up_sync(kFullWarp, value, static_cast<unsigned>(distance));
    if (lane >= distance) value = combine(before, value);
  }
  return value;
}

// Called by all threads of a block of whole warps. `partials` is shared room for kWarp values, free for the next call
// as soon as this one returns: the barrier at the beginning keeps the two apart.
template <class T, class Combine>
__device__ Scan<T> block_scan(T value, T identity, Combine combine, T* partials) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const T inclusive = warp_scan(value, combine);
  __syncthreads();
  if (lane == kWarp - 1) partials[warp] = inclusive;
  __syncthreads();
  const T sums = warp_scan(lane < warps ? partials[lane] : identity, combine);
  const T total = __shfl_sync(kFullWarp, sums, kWarp - 1);
  const T before = __shfl_sync(kFullWarp, sums, warp == 0 ? 0 : warp - 1);
  return {warp == 0 ? inclusive : combine(before, inclusive), total};
}

}  // namespace spinert
