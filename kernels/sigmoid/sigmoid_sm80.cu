// sigmoid_sm80.cu - sigmoid on the card: the six numbers of every patch.
//
// Layout    any; flat over the elements of the rows in use
// Tile      one element per thread and step
// Work      24 operations an element
// Bound     memory: reads and writes each element once; for a classifier's head the launch
// Measured  not yet: no card was available; predicted 2.5 us for 136 x 6, of which the launch takes 1.3 us: 6.5 KB are
//           nothing at 4.3 TB/s
// Rejects   nothing
// Numerics  bit-equal: portable_sigmoid
// Tried     nothing else
#include <algorithm>

#include "kernels/base/cuda.cuh"
#include "kernels/base/portable_exp.h"
#include "kernels/sigmoid/sigmoid.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 8192;

__global__ void __launch_bounds__(kThreads) sigmoid_kernel(const float* x, float* y, DeviceRows rows, int64_t row) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int64_t elements = rows.get() * row;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < elements; i += int64_t{gridDim.x} * kThreads) {
    y[i] = portable_sigmoid(x[i]);
  }
}

void run(const OpCall& call, const RunContext& context) {
  const Tensor& x = call.in[0];
  const int64_t capacity = x.shape.rank == 0 ? 1 : x.shape[0];
  const int64_t blocks = std::min((x.elements() + kThreads - 1) / kThreads, kMostBlocks);
  launch(context, {.grid_x = blocks, .block = kThreads, .waits = true}, sigmoid_kernel, x.f32(), call.out[0].f32(),
         device_rows(x), capacity == 0 ? 0 : x.elements() / capacity);
}

}  // namespace

extern const Kernel sigmoid_sm80;
const Kernel sigmoid_sm80 = {.run = run};

}  // namespace spinert
