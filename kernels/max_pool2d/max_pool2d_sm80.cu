// max_pool2d_sm80.cu - backend cuda, from sm_80 on: max pooling, one thread per output pixel and 8 channels
// Layout    NHWC f32, f16 or bf16, any C
// Tile      one output pixel x 8 channels (16-byte vectors, 32 bytes of f32) per thread; 1 channel if C % 8 != 0
// Work      kernel^2 loads and 8 kernel^2 comparisons a thread; a window of 3 is unrolled, so that its loads overlap
// Bound     memory: 512x512x64 -> 256x256x64 in f16 moves 42 MB -> 9.8 us at 4.3 TB/s
// Measured  not yet: no card was available; predicted 12 us from the bytes at 80 % of that rate
// Rejects   nothing
// Numerics  exact; a NaN in the window stays
// Tried     nothing else: neighbouring windows share pixels through the first-level cache
#include "kernels/base/elementwise.cuh"
#include "kernels/max_pool2d/max_pool2d.h"

namespace spinert {
namespace {

constexpr int kThreads = 256, kUnrolledKernel = 3;

struct PoolShape {
  int32_t height, width, out_h, out_w, groups, kernel, stride, padding;
};

// kKernel: the window's side if it is known to the compiler, else 0. Coordinates outside are moved to the nearest place
// inside, which belongs to the window too because padding is at most kernel / 2: a maximum may see a place twice.
template <class T, int N, int kKernel>
__global__ void __launch_bounds__(kThreads) max_pool2d_kernel(const T* x, T* y, DeviceRows rows, PoolShape s) {
  ptx::grid_dependency_wait();
  const int64_t item = thread_item();
  if (item >= rows.get() * s.out_h * s.out_w * s.groups) return;
  auto rest = static_cast<uint32_t>(item);
  const int32_t group = take_axis(rest, s.groups), ox = take_axis(rest, s.out_w), oy = take_axis(rest, s.out_h);
  const T* image = x + (int64_t{rest} * s.height * s.width * s.groups + group) * N;
  const int32_t top = oy * s.stride - s.padding, left = ox * s.stride - s.padding;
  const int32_t side = kKernel ? kKernel : s.kernel;
  float largest[N];
#pragma unroll
  for (int c = 0; c < N; ++c) largest[c] = -std::numeric_limits<float>::infinity();
#pragma unroll(kKernel ? kKernel : 1)
  for (int32_t i = 0; i < side; ++i) {
    const int32_t iy = min(max(top + i, 0), s.height - 1);
#pragma unroll(kKernel ? kKernel : 1)
    for (int32_t j = 0; j < side; ++j) {
      const int32_t ix = min(max(left + j, 0), s.width - 1);
      const Lanes<T, N> in = load_lanes<N>(image + (int64_t{iy} * s.width + ix) * s.groups * N);
#pragma unroll
      for (int c = 0; c < N; ++c) {
        const float value = ptx::to_float(in.lane[c]);
        // Once NaN, no comparison replaces it but another NaN.
        if (value > largest[c] || value != value) largest[c] = value;
      }
    }
  }
  Lanes<T, N> out;
#pragma unroll
  for (int c = 0; c < N; ++c) out.lane[c] = ptx::from_float<T>(largest[c]);
  store_lanes(y + item * N, out);
}

template <class T, int N>
void run_lanes(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<MaxPool2dParams>();
  const Shape &in = call.in[0].shape, &out = call.out[0].shape;
  const auto extent = [](int64_t value) { return static_cast<int32_t>(value); };
  const PoolShape s{extent(in[1]),      extent(in[2]),    extent(out[1]),   extent(out[2]),
                    extent(out[3] / N), extent(p.kernel), extent(p.stride), extent(p.padding)};
  const LaunchShape shape{
      .grid_x = item_blocks(call.out[0].elements() / N, kThreads), .block = kThreads, .waits = true};
  const auto kernel =
      p.kernel == kUnrolledKernel ? max_pool2d_kernel<T, N, kUnrolledKernel> : max_pool2d_kernel<T, N, 0>;
  launch(context, shape, kernel, call.in[0].as<T>(), call.out[0].as<T>(), device_rows(call.in[0]), s);
}

void run(const OpCall& call, const RunContext& context) {
  with_activation_type(call.in[0].dtype, [&](auto element) {
    using T = decltype(element);
    call.out[0].shape[3] % kVectorLanes == 0 ? run_lanes<T, kVectorLanes>(call, context)
                                             : run_lanes<T, 1>(call, context);
  });
}

}  // namespace

extern const Kernel max_pool2d_sm80;
const Kernel max_pool2d_sm80 = {.run = run};

}  // namespace spinert
