// gpu_timer.h - times work on the card with events around replays of a captured graph, so that neither launches nor the
// host are in the figure.
#pragma once

#include <functional>
#include <vector>

#include "kernels/base/cuda_device.h"

struct CUstream_st;

namespace spinert::bench {

// The CUDA stream behind a CudaStream of the card.
CUstream_st* native_stream(CudaStream& stream);

struct GpuTimes {
  std::vector<double> microseconds;  // of one call: a replay divided by its calls
  double median() const;
};

// enqueue(i) puts call i of `calls` on the stream; it runs once under capture. Three replays warm up, then `replays`
// are timed one by one. E_DEVICE if the work cannot be captured or fails.
Result<GpuTimes> time_on_card(CudaStream& stream, int calls, int replays, const std::function<Status(int)>& enqueue);

// What this card can do, measured now: a large copy (bytes read and written) and a large matrix product through
// cuBLASLt (0 without it).
struct GpuRoof {
  double gbytes = 0;
  double tflops_f16 = 0;
};
Result<GpuRoof> measure_gpu_roof(CudaDevice& device);

}  // namespace spinert::bench
