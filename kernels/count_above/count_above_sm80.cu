// count_above_sm80.cu - the number of leading scores that reach a threshold: the place of the first one that does not.
//
// Layout    scores f32 [n]
// Tile      one block; every thread looks for the first low score among its own, then the least of these is taken
// Work      one comparison a score
// Bound     latency: one trip to memory and two barriers
// Measured  not yet: no card was available; predicted 2.5 us for 100 scores, of which the launch takes 1.3 us
// Rejects   nothing. One block reads long lists slowly: 1 M scores take about 40 us at 100 GB/s of one multiprocessor
// Numerics  exact
// Tried     nothing else
#include "kernels/base/block_scan.cuh"
#include "kernels/count_above/count_above.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads)
    count_above_kernel(const float* scores, DeviceRows rows, float threshold, int32_t* count) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(int32_t, partials, kWarp);
  const auto n = static_cast<int32_t>(rows.get());
  int64_t i = threadIdx.x;
  while (i < n && scores[i] >= threshold) i += kThreads;
  const int32_t first_low = i < n ? static_cast<int32_t>(i) : n;
  const Scan<int32_t> scan = block_scan(first_low, n, ScanMin(), partials);
  if (threadIdx.x == 0) *count = scan.total;
}

void run(const OpCall& call, const RunContext& context) {
  launch(context, {.block = kThreads, .waits = true}, count_above_kernel, call.in[0].f32(), device_rows(call.in[0]),
         static_cast<float>(call.as<CountAboveParams>().threshold), call.out[0].i32());
}

}  // namespace

extern const Kernel count_above_sm80;
const Kernel count_above_sm80 = {.run = run};

}  // namespace spinert
