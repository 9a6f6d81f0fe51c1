// conv2d_depthwise_sm80.cu - depthwise conv2d: groups == channels == output channels
// Layout   x NHWC, C % 8 == 0; weight as it is, [kh][kw][1][C] f32; y and residual NHWC
// Tile     8 channels of one pixel a thread, 256 threads a block; neighbouring threads take neighbouring channels
// Work     8 fmaf per tap, one 16-byte load of x in halves (two in f32), two of the weight
// Bound    memory: x and y once; taps of neighbouring pixels and the weight come from the caches. A 3x3 of MobileNetV2
//          (112x112x96, stride 1, f16): 4.8 MB at 4.3 TB/s 1.1 us
// Measured not yet: no card was available
// Rejects  groups != C or != O; C % 8 != 0; 2^31 output pixels
// Numerics one fused f32 chain per output in the order of taps, weights in f32; same bytes for every batch
// Tried    nothing else
#include "kernels/base/image_rows.cuh"
#include "kernels/conv2d/conv2d_cuda.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;

struct Arguments {
  ImageGeometry image;
  CardEpilogue epilogue;
  DeviceRows rows;
  int64_t pixels;  // of one image
  const void* x;
  const float* weight;
};

template <class T>
__global__ void __launch_bounds__(kThreads) conv2d_depthwise_kernel(Arguments p) {
  ptx::grid_dependency_wait();
  const ImageGeometry& g = p.image;
  // A tensor has at most 2^31 elements: octets are counted in 32 bits.
  const uint32_t octets = static_cast<uint32_t>(g.in_c / 8), item = blockIdx.x * kThreads + threadIdx.x;
  const uint32_t row = item / octets;
  const int64_t rows = p.rows.get() * p.pixels;
  if (row >= rows) return;
  const int channel = static_cast<int>(item - row * octets) * 8;
  const Window window = window_of(g, row, rows);
  float sum[8] = {};
  for (int i = 0; i < g.kernel_h; ++i) {
    for (int j = 0; j < g.kernel_w; ++j) {
      const int dy = i * g.dilation, dx = j * g.dilation;
      if (!window.covers(g, dy, dx)) continue;
      float value[8], weight[8];
      load_8(static_cast<const T*>(p.x) + window.start + (int64_t{dy} * g.in_w + dx) * g.in_c + channel, value);
      load_8(p.weight + int64_t{i * g.kernel_w + j} * g.in_c + channel, weight);
#pragma unroll
      for (int c = 0; c < 8; ++c) sum[c] = fmaf(value[c], weight[c], sum[c]);
    }
  }
  finish_8<T>(p.epilogue, row, channel, sum);
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const CudaIgemm igemm = conv2d_cuda_call(call);
  const Arguments p{.image = igemm.image,
                    .epilogue = igemm.epilogue,
                    .rows = device_rows(igemm.x),
                    .pixels = igemm.pixels(),
                    .x = igemm.x.data,
                    .weight = call.in[kPackedInput].f32()};
  const int64_t items = igemm.capacity() * igemm.pixels() * (igemm.image.in_c / 8);
  launch(context, {.grid_x = (items + kThreads - 1) / kThreads, .block = kThreads}, conv2d_depthwise_kernel<T>, p);
}

const char* rejects(const OpCall& call) {
  const int64_t channels = call.in[0].shape[3];
  if (call.as<Conv2dParams>().groups != channels || call.out[0].shape[3] != channels) return "not depthwise";
  if (channels % 8 != 0) return "channels not a multiple of 8";
  return conv2d_cuda_rejects(call);
}

void run(const OpCall& call, const RunContext& context) {
  switch (call.in[0].dtype) {
    case DType::f16: return run_typed<f16>(call, context);
    case DType::bf16: return run_typed<bf16>(call, context);
    default: return run_typed<float>(call, context);
  }
}

}  // namespace

extern const Kernel conv2d_depthwise_sm80;
const Kernel conv2d_depthwise_sm80 = {.rejects = rejects, .run = run};

}  // namespace spinert
