// softmax_sm80.cu - softmax over a few classes: one thread per row, the loops of softmax.inl.
//
// Layout    [n,C] row-major
// Tile      one row per thread, 64 rows a block, so that 1000 rows spread over 16 multiprocessors
// Work      26 operations an element; the sum in double
// Bound     latency of three passes over C numbers
// Measured  not yet: no card was available; predicted 3 us for 1000 x 2, of which the launch takes 1.3 us: 16 KB are
//           nothing at 4.3 TB/s
// Rejects   nothing
// Numerics  bit-equal: the contract fixes the order of the sum, so a row is never split between threads
// Tried     nothing else: a warp per row would have to add in another order
#include <algorithm>

#include "kernels/base/cuda.cuh"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax.inl"

namespace spinert {
namespace {

constexpr int kThreads = 64;
constexpr int64_t kMostBlocks = 8192;

__global__ void __launch_bounds__(kThreads)
    softmax_kernel(const float* x, float* y, DeviceRows rows, int64_t channels) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int64_t n = rows.get();
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += int64_t{gridDim.x} * kThreads) {
    softmax_row(x + i * channels, y + i * channels, channels);
  }
}

void run(const OpCall& call, const RunContext& context) {
  const Tensor& x = call.in[0];
  const int64_t blocks = std::min((x.shape[0] + kThreads - 1) / kThreads, kMostBlocks);
  launch(context, {.grid_x = blocks, .block = kThreads, .waits = true}, softmax_kernel, x.f32(), call.out[0].f32(),
         device_rows(x), x.shape[1]);
}

}  // namespace

extern const Kernel softmax_sm80;
const Kernel softmax_sm80 = {.run = run};

}  // namespace spinert
