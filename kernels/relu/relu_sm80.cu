// relu_sm80.cu - relu and relu6 on the card, for graphs where no epilogue took it over.
//
// Layout    any; flat over the elements of the rows in use
// Tile      eight elements of one row per thread where channels come in eights, else one
// Work      1 comparison an element
// Bound     memory: reads and writes each element once
// Measured  not yet: no card was available
// Rejects   nothing
// Numerics  exact; NaN passes
// Tried     nothing else: it is rarely left in a fused graph
#include "kernels/base/elementwise.cuh"
#include "kernels/relu/relu.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;

template <class T, int N>
__global__ void __launch_bounds__(kThreads) relu_kernel(const T* x, T* y, DeviceRows rows, int64_t row, bool limited) {
  ptx::grid_dependency_wait();
  const int64_t at = thread_item() * N;
  if (at >= rows.get() * row) return;
  Lanes<T, N> lanes = load_lanes<N>(x + at);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    // Comparisons with NaN are false and x passes through.
    const float v = ptx::to_float(lanes.lane[i]);
    const float positive = v < 0.0f ? 0.0f : v;
    lanes.lane[i] = ptx::from_float<T>(limited && positive > 6.0f ? 6.0f : positive);
  }
  store_lanes(y + at, lanes);
}

template <class T, int N>
void run_lanes(const OpCall& call, const RunContext& context) {
  const Tensor &x = call.in[0], &y = call.out[0];
  const DeviceRows rows = device_rows(x);
  const int64_t row = rows.capacity == 0 ? 0 : y.elements() / rows.capacity;
  launch(context, {.grid_x = item_blocks(y.elements() / N, kThreads), .block = kThreads, .waits = true},
         relu_kernel<T, N>, x.as<T>(), y.as<T>(), rows, row, call.as<ReluParams>().max == 6);
}

void run(const OpCall& call, const RunContext& context) {
  with_activation_type(call.in[0].dtype, [&](auto element) {
    using T = decltype(element);
    const Shape& shape = call.in[0].shape;
    const bool vectors = shape.rank > 1 && shape.last() % kVectorLanes == 0;
    vectors ? run_lanes<T, kVectorLanes>(call, context) : run_lanes<T, 1>(call, context);
  });
}

}  // namespace

extern const Kernel relu_sm80;
const Kernel relu_sm80 = {.run = run};

}  // namespace spinert
