// rpn_head_direct_sm80.cu - rpn_head in any type and with any channels: f32 for verification, and what the other row
// refuses
//
// Layout   maps NHWC; weights as they are, [3][3][C][K], [K][A], [K][4A] f32; one launch for all levels
// Tile     8 neighbouring pixels x 256 hidden channels a block of 256 threads; a thread has one hidden channel of all 8
// Work     per thread and (tap, channel): 1 weight and 8 values of the map, the same for the whole warp, for 8 fmaf
// Bound    loads: 51.5 GMAC of the network's five levels with 9 loads for 8 fmaf; 32 lanes of loads per clock and
//          multiprocessor at 1.7 GHz on 132 of them: 8.1 ms (H200, computed from those figures)
// Measured not yet: no card was available; predicted 8 ms as above
// Rejects  2^31 pixels
// Numerics one fused f32 chain per hidden number in the order (tap, channel), and one per output in the order of hidden
//          channels; hidden numbers stay f32 in shared memory
// Tried    nothing else: it is the path for verification
#include "kernels/base/cuda.cuh"
#include "kernels/base/epilogue.cuh"
#include "kernels/rpn_head/rpn_head_cuda.h"
#include "kernels/rpn_head/rpn_level.cuh"

namespace spinert {
namespace {

constexpr int kThreads = 256, kPixels = 8;

// relu of one hidden channel of the pixels first + {0..7} of a level; 0 for pixels beyond the last.
template <class T>
__device__ __forceinline__ void hidden_channel(const RpnCall& p, const RpnLevel& level, const float* weight, int first,
                                               int channel, float (&sum)[kPixels]) {
  const int pixels = level.height * level.width;
  int y[kPixels], x[kPixels];
#pragma unroll
  for (int i = 0; i < kPixels; ++i) {
    y[i] = first + i < pixels ? (first + i) / level.width : -2;  // two above the map: no tap lies inside
    x[i] = first + i < pixels ? (first + i) % level.width : 0;
    sum[i] = 0.0f;
  }
  for (int tap = 0; tap < 9; ++tap) {
    const T* from[kPixels];
    bool inside[kPixels];
#pragma unroll
    for (int i = 0; i < kPixels; ++i) {
      const int iy = y[i] + tap / 3 - 1, ix = x[i] + tap % 3 - 1;
      inside[i] = iy >= 0 && iy < level.height && ix >= 0 && ix < level.width;
      from[i] = static_cast<const T*>(level.map) + (inside[i] ? int64_t{iy * level.width + ix} * p.channels : 0);
    }
    const float* w = weight + int64_t{tap} * p.channels * p.hidden + channel;
    for (int c = 0; c < p.channels; ++c) {
      const float value = w[int64_t{c} * p.hidden];
#pragma unroll
      for (int i = 0; i < kPixels; ++i) {
        if (inside[i]) sum[i] = fmaf(ptx::to_float(from[i][c]), value, sum[i]);
      }
    }
  }
#pragma unroll
  for (int i = 0; i < kPixels; ++i) sum[i] = activate_on_card(Activation::relu, sum[i] + p.bias[channel]);
}

template <class T>
__global__ void __launch_bounds__(kThreads) rpn_head_direct_kernel(RpnCall p, const float* weight) {
  ptx::grid_dependency_wait();
  SPINERT_SHARED(float, hidden, kPixels* kThreads);
  const int tile = static_cast<int>(blockIdx.x), thread = static_cast<int>(threadIdx.x);
  const RpnLevel level = rpn_level_of(p, tile);
  const int first = (tile - level.first_tile) * kPixels, outputs = 5 * p.anchors;
  const int pixels = min(kPixels, level.height * level.width - first);
  for (int k0 = 0; k0 < p.hidden; k0 += kThreads) {
    const int chunk = min(kThreads, p.hidden - k0);
    if (thread < chunk) {
      float sum[kPixels];
      hidden_channel<T>(p, level, weight, first, k0 + thread, sum);
#pragma unroll
      for (int i = 0; i < kPixels; ++i) hidden[i * kThreads + thread] = sum[i];
    }
    __syncthreads();
    // The same thread has the same output in every chunk, and takes its sum up where it left it.
    for (int i = thread; i < pixels * outputs; i += kThreads) {
      const RpnOutput out = rpn_output(p, level, first + i / outputs, i % outputs);
      float sum = k0 == 0 ? *out.bias : *out.to;
      for (int k = 0; k < chunk; ++k) {
        sum = fmaf(hidden[i / outputs * kThreads + k], out.weight[int64_t{k0 + k} * out.stride], sum);
      }
      *out.to = sum;
    }
    __syncthreads();
  }
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const RpnCall p = rpn_head_cuda_call(call, kPixels);
  launch(context, {.grid_x = p.tiles, .block = kThreads}, rpn_head_direct_kernel<T>, p, call.in[kRpnWeight].f32());
}

void run(const OpCall& call, const RunContext& context) {
  switch (call.in[kRpnMap0].dtype) {
    case DType::f16: return run_typed<f16>(call, context);
    case DType::bf16: return run_typed<bf16>(call, context);
    default: return run_typed<float>(call, context);
  }
}

}  // namespace

extern const Kernel rpn_head_direct_sm80;
const Kernel rpn_head_direct_sm80 = {.rejects = rpn_head_cuda_rejects, .run = run};

}  // namespace spinert
