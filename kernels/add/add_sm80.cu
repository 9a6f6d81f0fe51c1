// add_sm80.cu - backend cuda, from sm_80 on: sum of two activations, where no convolution took it over
// Layout    any, f32, f16 or bf16; flat over the elements of the rows in use
// Tile      8 elements (16-byte vectors, 32 bytes of f32) per thread; 1 if a row is no multiple of 8
// Work      two loads, 8 additions, one store
// Bound     memory: 256x256x256 in f16 moves 101 MB -> 23.4 us at 4.3 TB/s
// Measured  not yet: no card was available; predicted 26 us from the bytes at 90 % of that rate
// Rejects   nothing
// Numerics  float addition, then one rounding to the output's type
// Tried     nothing else: in a fused graph the sum is part of a convolution
#include "kernels/add/add.h"
#include "kernels/base/elementwise.cuh"

namespace spinert {
namespace {

constexpr int kThreads = 256;

template <class T, int N>
__global__ void __launch_bounds__(kThreads) add_kernel(const T* a, const T* b, T* y, DeviceRows rows, int64_t row) {
  ptx::grid_dependency_wait();
  const int64_t at = thread_item() * N;
  if (at >= rows.get() * row) return;
  const Lanes<T, N> left = load_lanes<N>(a + at), right = load_lanes<N>(b + at);
  Lanes<T, N> sum;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    sum.lane[i] = ptx::from_float<T>(ptx::to_float(left.lane[i]) + ptx::to_float(right.lane[i]));
  }
  store_lanes(y + at, sum);
}

template <class T, int N>
void run_lanes(const OpCall& call, const RunContext& context) {
  const Tensor &a = call.in[0], &y = call.out[0];
  const DeviceRows rows = device_rows(a);
  const int64_t row = rows.capacity == 0 ? 0 : y.elements() / rows.capacity;
  launch(context, {.grid_x = item_blocks(y.elements() / N, kThreads), .block = kThreads, .waits = true},
         add_kernel<T, N>, a.as<T>(), call.in[1].as<T>(), y.as<T>(), rows, row);
}

void run(const OpCall& call, const RunContext& context) {
  with_activation_type(call.in[0].dtype, [&](auto element) {
    using T = decltype(element);
    // Channels that fill vectors make rows that do; with rank 1 a row is one element.
    const Shape& shape = call.in[0].shape;
    const bool vectors = shape.rank > 1 && shape.last() % kVectorLanes == 0;
    vectors ? run_lanes<T, kVectorLanes>(call, context) : run_lanes<T, 1>(call, context);
  });
}

}  // namespace

extern const Kernel add_sm80;
const Kernel add_sm80 = {.run = run};

}  // namespace spinert
