// conv2d_direct_sm80.cu - conv2d with one thread per output: what every other row of the cuda backend refuses
// Layout   x NHWC, any channels, groups and type; weight as it is, [kh][kw][C/groups][O] f32; y and residual NHWC
// Tile     1 output a thread, 256 threads a block; neighbouring threads share a pixel and read neighbouring weights
// Work     taps x C/groups fmaf, as many loads of x (mostly one value for a whole warp) and of the weight
// Bound    loads: both networks take it nowhere; in reduced models and odd channels only
// Measured not yet: no card was available
// Rejects  nothing
// Numerics one fused f32 chain per output in the order (tap, channel), weights in f32; same bytes for every batch
// Tried    nothing else
#include "kernels/base/epilogue.cuh"
#include "kernels/conv2d/conv2d_cuda.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 65536;

struct Arguments {
  Conv2dShape shape;
  int64_t stride, padding, dilation, groups;
  CardEpilogue epilogue;
  DeviceRows rows;
  const void* x;
  const float* weight;
};

template <class T>
__global__ void __launch_bounds__(kThreads) conv2d_direct_kernel(Arguments p) {
  ptx::grid_dependency_wait();
  const Conv2dShape& s = p.shape;
  const int64_t group_in = s.in_c / p.groups, group_out = s.out_c / p.groups;
  const int64_t outputs = p.rows.get() * s.out_h * s.out_w * s.out_c;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < outputs; i += int64_t{gridDim.x} * kThreads) {
    const int64_t pixel = i / s.out_c, o = i - pixel * s.out_c;
    const int64_t line = pixel / s.out_w, ox = pixel - line * s.out_w;
    const int64_t n = line / s.out_h, oy = line - n * s.out_h;
    const T* image = static_cast<const T*>(p.x) + n * s.in_h * s.in_w * s.in_c + o / group_out * group_in;
    float sum = 0.0f;
    for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
      const int64_t y = oy * p.stride + ky * p.dilation - p.padding;
      if (y < 0 || y >= s.in_h) continue;
      for (int64_t kx = 0; kx < s.kernel_w; ++kx) {
        const int64_t x = ox * p.stride + kx * p.dilation - p.padding;
        if (x < 0 || x >= s.in_w) continue;
        const T* values = image + (y * s.in_w + x) * s.in_c;
        const float* weights = p.weight + (ky * s.kernel_w + kx) * group_in * s.out_c + o;
        for (int64_t c = 0; c < group_in; ++c) sum = fmaf(ptx::to_float(values[c]), weights[c * s.out_c], sum);
      }
    }
    finish_one<T>(p.epilogue, pixel, static_cast<int>(o), sum);
  }
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const auto& params = call.as<Conv2dParams>();
  const Arguments p{.shape = conv2d_shape(call),
                    .stride = params.stride,
                    .padding = params.padding,
                    .dilation = params.dilation,
                    .groups = params.groups,
                    .epilogue = conv2d_cuda_call(call).epilogue,
                    .rows = device_rows(call.in[0]),
                    .x = call.in[0].data,
                    .weight = call.in[kPackedInput].f32()};
  const int64_t blocks = std::min((call.out[0].elements() + kThreads - 1) / kThreads, kMostBlocks);
  launch(context, {.grid_x = blocks, .block = kThreads}, conv2d_direct_kernel<T>, p);
}

void run(const OpCall& call, const RunContext& context) {
  switch (call.in[0].dtype) {
    case DType::f16: return run_typed<f16>(call, context);
    case DType::bf16: return run_typed<bf16>(call, context);
    default: return run_typed<float>(call, context);
  }
}

}  // namespace

extern const Kernel conv2d_direct_sm80;
const Kernel conv2d_direct_sm80 = {.run = run};

}  // namespace spinert
