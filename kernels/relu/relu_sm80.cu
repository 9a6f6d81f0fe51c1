// relu_sm80.cu - relu and relu6 on the card, for graphs where no epilogue took it over.
//
// Layout    any; flat over the elements of the rows in use
// Tile      one element per thread and step
// Work      1 comparison an element
// Bound     memory: reads and writes each element once
// Measured  not yet: no card was available
// Rejects   nothing
// Numerics  exact; NaN passes
// Tried     nothing else: it is rarely left in a fused graph
#include "kernels/base/cuda.cuh"
#include "kernels/relu/relu.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) relu_kernel(const T* x, T* y, DeviceRows rows, int64_t row, bool limited) {
  ptx::grid_dependency_wait();
  const int64_t elements = rows.get() * row;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < elements; i += int64_t{gridDim.x} * kThreads) {
    const float v = ptx::to_float(x[i]);
    const float positive = v < 0.0f ? 0.0f : v;
    y[i] = ptx::from_float<T>(limited && positive > 6.0f ? 6.0f : positive);
  }
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const Tensor& x = call.in[0];
  const int64_t row = x.shape.rank == 0 || x.shape[0] == 0 ? 0 : x.elements() / x.shape[0];
  const int64_t blocks = std::min<int64_t>((x.elements() + kThreads - 1) / kThreads, 8192);
  launch(context, {.grid_x = blocks, .block = kThreads, .waits = true}, relu_kernel<T>, x.as<T>(), call.out[0].as<T>(),
         device_rows(x), row, call.as<ReluParams>().max == 6);
}

void run(const OpCall& call, const RunContext& context) {
  switch (call.in[0].dtype) {
    case DType::f16: return run_typed<f16>(call, context);
    case DType::bf16: return run_typed<bf16>(call, context);
    default: return run_typed<float>(call, context);
  }
}

}  // namespace

extern const Kernel relu_sm80;
const Kernel relu_sm80 = {.run = run};

}  // namespace spinert
