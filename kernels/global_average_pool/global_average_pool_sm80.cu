// global_average_pool_sm80.cu - backend cuda, from sm_80 on: mean over a picture, eight slices of its pixels at once
// Layout    NHWC f32, f16 or bf16, any C
// Tile      block: one picture x 32 groups of 8 channels (16-byte vectors; 1 channel if C % 8 != 0), eight warps that
//           take every eighth pixel each
// Work      pixels / 8 loads and additions a thread, then eight partial sums per channel through 8 KB of shared memory
// Bound     memory: 96 x 7x7x2048 in f16 moves 19.7 MB -> 4.6 us at 4.3 TB/s
// Measured  not yet: no card was available; predicted 6 us from the bytes at 80 % of that rate
// Rejects   nothing
// Numerics  float sums: each slice in the order of its pixels, slices in their order; the same bytes in every run
// Tried     nothing else: one thread for all pixels of its channels would leave most of the card idle
#include "kernels/base/elementwise.cuh"
#include "kernels/global_average_pool/global_average_pool.h"

namespace spinert {
namespace {

constexpr int kGroups = 32, kSlices = 8, kThreads = kGroups * kSlices;

template <class T, int N>
__global__ void __launch_bounds__(kThreads)
    global_average_pool_kernel(const T* x, T* y, DeviceRows rows, int64_t pixels, int32_t channels, int32_t tiles) {
  SPINERT_SHARED(float, partial, kSlices* kGroups* N);
  ptx::grid_dependency_wait();
  auto picture = static_cast<uint32_t>(blockIdx.x);
  const int32_t first = take_axis(picture, tiles) * kGroups * N;  // channel
  if (picture >= rows.get()) return;
  const int thread = static_cast<int>(threadIdx.x), slice = thread / kGroups, group = thread % kGroups;
  float sum[N] = {};
  if (first + group * N < channels) {
    const T* from = x + int64_t{picture} * pixels * channels + first + group * N;
#pragma unroll 4
    for (int64_t i = slice; i < pixels; i += kSlices) {
      const Lanes<T, N> in = load_lanes<N>(from + i * channels);
#pragma unroll
      for (int c = 0; c < N; ++c) sum[c] += ptx::to_float(in.lane[c]);
    }
  }
#pragma unroll
  for (int c = 0; c < N; ++c) partial[thread * N + c] = sum[c];
  __syncthreads();
  if (thread >= kGroups * N || first + thread >= channels) return;
  float total = 0;
#pragma unroll
  for (int i = 0; i < kSlices; ++i) total += partial[i * kGroups * N + thread];
  y[int64_t{picture} * channels + first + thread] = ptx::from_float<T>(total / static_cast<float>(pixels));
}

template <class T, int N>
void run_lanes(const OpCall& call, const RunContext& context) {
  static_assert(kGroups * N <= kThreads, "one thread per channel at the end");
  const Shape& x = call.in[0].shape;
  const int64_t tiles = item_blocks(x[3], kGroups * N);
  launch(context, {.grid_x = x[0] * tiles, .block = kThreads, .waits = true}, global_average_pool_kernel<T, N>,
         call.in[0].as<T>(), call.out[0].as<T>(), device_rows(call.in[0]), x[1] * x[2], static_cast<int32_t>(x[3]),
         static_cast<int32_t>(tiles));
}

void run(const OpCall& call, const RunContext& context) {
  with_activation_type(call.in[0].dtype, [&](auto element) {
    using T = decltype(element);
    call.in[0].shape[3] % kVectorLanes == 0 ? run_lanes<T, kVectorLanes>(call, context)
                                            : run_lanes<T, 1>(call, context);
  });
}

}  // namespace

extern const Kernel global_average_pool_sm80;
const Kernel global_average_pool_sm80 = {.run = run};

}  // namespace spinert
