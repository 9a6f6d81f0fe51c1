// fpn_merge_direct_sm80.cu - fpn_merge with one thread per output: f32 for verification, and what the other row refuses
//
// Layout   maps NHWC, any type and channels; weight as it is, [9Q + 16C][O] f32
// Tile     1 output a thread, 256 threads a block; neighbouring threads share a pixel and read neighbouring weights
// Work     per output 9Q + 4C fmaf, as many loads of a map (one value for a whole warp) and of the weight
// Bound    loads: 26.8 GMAC of the network's finest level with 2 loads for each; 32 lanes of loads per clock and
//          multiprocessor at 1.7 GHz on 132 of them: 7.5 ms (H200, computed from those figures)
// Measured not yet: no card was available; predicted 8 ms as above
// Rejects  nothing
// Numerics one fused f32 chain per output in the order of the weight's rows, weights in f32; same bytes for every batch
// Tried    nothing else: it is the path for verification
#include "kernels/base/epilogue.cuh"
#include "kernels/fpn_merge/fpn_merge.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 65536;

struct Arguments {
  DeviceRows rows;
  int64_t height, width, fine_channels, coarse_channels;  // of the fine map; the coarse one has half
  const void *fine, *coarse;
  const float *weight, *border;
  CardEpilogue epilogue;
};

// sum over c of x[c] * weight[c][o] for one pixel of a map; a pixel outside adds nothing.
template <class T>
__device__ __forceinline__ float add_pixel(const T* map, int64_t height, int64_t width, int64_t channels, int64_t y,
                                           int64_t x, const float* weight, int64_t outputs, float sum) {
  if (y < 0 || y >= height || x < 0 || x >= width) return sum;
  const T* pixel = map + (y * width + x) * channels;
  for (int64_t c = 0; c < channels; ++c) sum = fmaf(ptx::to_float(pixel[c]), weight[c * outputs], sum);
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads) fpn_merge_direct_kernel(Arguments p) {
  ptx::grid_dependency_wait();
  const int64_t outputs = p.epilogue.columns, count = p.rows.get() * p.height * p.width * outputs;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += int64_t{gridDim.x} * kThreads) {
    const int64_t pixel = i / outputs, o = i - pixel * outputs, line = pixel / p.width;
    const int64_t x = pixel - line * p.width, n = line / p.height, y = line - n * p.height;
    const T* fine = static_cast<const T*>(p.fine) + n * p.height * p.width * p.fine_channels;
    const T* coarse = static_cast<const T*>(p.coarse) + n * p.height * p.width / 4 * p.coarse_channels;
    const float* weight = p.weight + o;
    float sum = 0.0f;
    for (int64_t tap = 0; tap < kFpnFineTaps; ++tap, weight += p.fine_channels * outputs) {
      sum = add_pixel(fine, p.height, p.width, p.fine_channels, y + tap / 3 - 1, x + tap % 3 - 1, weight, outputs, sum);
    }
    const int64_t a = y % 2, b = x % 2;
    weight += (2 * a + b) * kFpnCoarseTaps * p.coarse_channels * outputs;
    for (int64_t tap = 0; tap < kFpnCoarseTaps; ++tap, weight += p.coarse_channels * outputs) {
      sum = add_pixel(coarse, p.height / 2, p.width / 2, p.coarse_channels, y / 2 + a - 1 + tap / 2,
                      x / 2 + b - 1 + tap % 2, weight, outputs, sum);
    }
    const int64_t cell = fpn_merge_class(y, p.height) * 3 + fpn_merge_class(x, p.width);
    finish_one<T>(p.epilogue, pixel, static_cast<int>(o), sum + p.border[cell * outputs + o]);
  }
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const Tensor &fine = call.in[kFpnFine], &y = call.out[0];
  const Arguments p{.rows = device_rows(fine),
                    .height = fine.shape[1],
                    .width = fine.shape[2],
                    .fine_channels = fine.shape[3],
                    .coarse_channels = call.in[kFpnCoarse].shape[3],
                    .fine = fine.data,
                    .coarse = call.in[kFpnCoarse].data,
                    .weight = call.in[kFpnWeight].f32(),
                    .border = call.in[kFpnBorder].f32(),
                    .epilogue = {.y = y.data, .output = y.dtype, .columns = static_cast<int>(y.shape[3])}};
  const int64_t blocks = std::min((y.elements() + kThreads - 1) / kThreads, kMostBlocks);
  launch(context, {.grid_x = blocks, .block = kThreads}, fpn_merge_direct_kernel<T>, p);
}

void run(const OpCall& call, const RunContext& context) {
  switch (call.in[kFpnFine].dtype) {
    case DType::f16: return run_typed<f16>(call, context);
    case DType::bf16: return run_typed<bf16>(call, context);
    default: return run_typed<float>(call, context);
  }
}

}  // namespace

extern const Kernel fpn_merge_direct_sm80;
const Kernel fpn_merge_direct_sm80 = {.run = run};

}  // namespace spinert
