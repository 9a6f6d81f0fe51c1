// conv2d_stem_sm80.cu - backend cuda, from sm_80 on: stem convolution on one channel in float
// Layout    grey f32 [N,H,W,1]; weight as it is, [kh][kw][1][O] f32; y NHWC f32, f16 or bf16, any O
// Tile      block: 32 x 8 outputs x 64 channels; picture tile and all weights of the 64 channels in shared memory. A
//           warp takes 8 pixels of four rows, a thread 8 pixels x 8 channels: 64 accumulators
// Work      per thread and kernel row of 7: 448 FFMA, 21 loads of pixels (each serves 8 lanes), 14 of four weights; the
//           four rows of a warp read different banks because the pitch of the tile is odd
// Bound     FFMA: 0.82 GMAC for 512x512x64 at 29 T a second -> 28 us on an H200; writing y in f16 33.6 MB -> 7.8 us
// Measured  not yet: no card was available; predicted 38 us, 75 % of the FFMA rate
// Rejects   picture tile and weights together above 96 KiB (kernels and strides far above those of a stem)
// Numerics  one fused chain per output in the order of the taps, then the border class is added; the same bytes for
//           every batch
// Tried     nothing else; conv2d_stem_mma_sm80.cu is the one for half types
#include "kernels/base/elementwise.cuh"
#include "kernels/conv2d_stem/conv2d_stem.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;
constexpr int kPixels = 8, kQuad = 4, kQuads = 2;  // of a thread: pixels of a row, channels
constexpr int kChannelThreads = 8, kWarpRows = 4, kWarpsAcross = 4, kWarpsDown = 2;
constexpr int kTileX = kWarpsAcross * kPixels, kTileY = kWarpsDown * kWarpRows;
constexpr int kTileChannels = kChannelThreads * kQuad * kQuads;
constexpr int64_t kSharedLimit = 96 << 10;

struct StemShape {
  int32_t height, width, out_h, out_w, channels, kernel_h, kernel_w, stride, padding;
  int32_t tile_h, pitch;             // picture tile: rows, floats from row to row
  int32_t tiles_x, tiles_y, panels;  // blocks along each axis of y
  StemClasses rows, columns;
  Activation activation;
};

// Eight channels of a pixel: those of quad q begin at q * 32 + 4 * (thread % 8), so that the lanes of a warp read and
// write neighbouring quads.
__device__ __forceinline__ int quad_channel(int lane, int q) {
  return q * kChannelThreads * kQuad + lane * kQuad;
}

__device__ void load_picture_tile(const float* image, const StemShape& s, int32_t y0, int32_t x0, float* tile) {
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < s.tile_h * s.pitch; i += kThreads) {
    const int32_t y = y0 + i / s.pitch, x = x0 + i % s.pitch;
    const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
    tile[i] = inside ? image[int64_t{y} * s.width + x] : 0.0f;
  }
}

__device__ void load_weights(const float* weight, const StemShape& s, int32_t first, float* weights) {
  const int32_t elements = s.kernel_h * s.kernel_w * kTileChannels;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < elements; i += kThreads) {
    const int32_t tap = i / kTileChannels, o = first + i % kTileChannels;
    weights[i] = o < s.channels ? weight[int64_t{tap} * s.channels + o] : 0.0f;
  }
}

// kKernel and kStride: width of the kernel and stride if the compiler knows them, else 0.
template <class T, int kKernel, int kStride>
__global__ void __launch_bounds__(kThreads)
    conv2d_stem_kernel(const float* grey, const float* weight, const float* border, T* y, DeviceRows rows,
                       StemShape s) {
  float* weights = reinterpret_cast<float*>(dynamic_shared());
  float* tile = weights + s.kernel_h * s.kernel_w * kTileChannels;
  ptx::grid_dependency_wait();
  auto rest = static_cast<uint32_t>(blockIdx.x);
  const int32_t first = take_axis(rest, s.panels) * kTileChannels;  // channel
  const int32_t ox0 = take_axis(rest, s.tiles_x) * kTileX, oy0 = take_axis(rest, s.tiles_y) * kTileY;
  const int64_t picture = rest;
  if (picture >= rows.get()) return;
  const int32_t stride = kStride ? kStride : s.stride, kernel_w = kKernel ? kKernel : s.kernel_w;
  load_weights(weight, s, first, weights);
  load_picture_tile(grey + picture * s.height * s.width, s, oy0 * stride - s.padding, ox0 * stride - s.padding, tile);
  __syncthreads();

  const int thread = static_cast<int>(threadIdx.x), lane = thread % kChannelThreads;
  const int row = thread / kChannelThreads % kWarpRows, warp = thread / (kChannelThreads * kWarpRows);
  const int tile_x = warp % kWarpsAcross * kPixels, tile_y = warp / kWarpsAcross * kWarpRows + row;
  const float* from = tile + tile_y * stride * s.pitch + tile_x * stride;
  float sum[kPixels][kQuads][kQuad] = {};
  for (int32_t i = 0; i < s.kernel_h; ++i) {
#pragma unroll(kKernel ? kKernel : 1)
    for (int32_t j = 0; j < kernel_w; ++j) {
      Lanes<float, kQuad> w[kQuads];
#pragma unroll
      for (int q = 0; q < kQuads; ++q) {
        w[q] = load_lanes<kQuad>(weights + (i * kernel_w + j) * kTileChannels + quad_channel(lane, q));
      }
#pragma unroll
      for (int p = 0; p < kPixels; ++p) {
        const float value = from[i * s.pitch + p * stride + j];
#pragma unroll
        for (int q = 0; q < kQuads; ++q) {
#pragma unroll
          for (int c = 0; c < kQuad; ++c) sum[p][q][c] = fmaf(value, w[q].lane[c], sum[p][q][c]);
        }
      }
    }
  }

  const int32_t oy = oy0 + tile_y;
  if (oy >= s.out_h) return;
  const bool vectors = s.channels % kQuad == 0;
#pragma unroll
  for (int p = 0; p < kPixels; ++p) {
    const int32_t ox = ox0 + tile_x + p;
    if (ox >= s.out_w) continue;
    const float* added = border + (s.rows.of(oy) * s.columns.count + s.columns.of(ox)) * s.channels;
    T* to = y + ((picture * s.out_h + oy) * s.out_w + ox) * s.channels;
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      const int32_t o = first + quad_channel(lane, q);
      if (vectors && o < s.channels) {
        const Lanes<float, kQuad> b = load_lanes<kQuad>(added + o);
        Lanes<T, kQuad> out;
#pragma unroll
        for (int c = 0; c < kQuad; ++c) {
          out.lane[c] = ptx::from_float<T>(activate(s.activation, sum[p][q][c] + b.lane[c]));
        }
        store_lanes(to + o, out);
        continue;
      }
#pragma unroll
      for (int c = 0; c < kQuad; ++c) {
        if (o + c < s.channels) to[o + c] = ptx::from_float<T>(activate(s.activation, sum[p][q][c] + added[o + c]));
      }
    }
  }
}

StemShape stem_shape(const OpCall& call) {
  const auto& p = call.as<Conv2dStemParams>();
  const Shape &x = call.in[0].shape, &w = call.in[1].shape, &y = call.out[0].shape;
  const auto extent = [](int64_t value) { return static_cast<int32_t>(value); };
  StemShape s{};
  s.height = extent(x[1]);
  s.width = extent(x[2]);
  s.out_h = extent(y[1]);
  s.out_w = extent(y[2]);
  s.channels = extent(y[3]);
  s.kernel_h = extent(w[0]);
  s.kernel_w = extent(w[1]);
  s.stride = extent(p.stride);
  s.padding = extent(p.padding);
  s.tile_h = (kTileY - 1) * s.stride + s.kernel_h;
  s.pitch = ((kTileX - 1) * s.stride + s.kernel_w) | 1;
  s.tiles_x = extent(item_blocks(y[2], kTileX));
  s.tiles_y = extent(item_blocks(y[1], kTileY));
  s.panels = extent(item_blocks(y[3], kTileChannels));
  s.rows = stem_classes(x[1], y[1], w[0], p.stride, p.padding);
  s.columns = stem_classes(x[2], y[2], w[1], p.stride, p.padding);
  s.activation = p.activation;
  return s;
}

int64_t shared_bytes(const OpCall& call) {
  const Shape& w = call.in[1].shape;
  const int64_t stride = call.as<Conv2dStemParams>().stride;
  const int64_t tile = ((kTileY - 1) * stride + w[0]) * (((kTileX - 1) * stride + w[1]) | 1);
  return (w[0] * w[1] * kTileChannels + tile) * int64_t{sizeof(float)};
}

const char* rejects(const OpCall& call) {
  // Each side alone first: their product must not overflow.
  const Shape& w = call.in[1].shape;
  if (w[0] > kSharedLimit || w[1] > kSharedLimit || shared_bytes(call) > kSharedLimit) {
    return "kernel or stride too large for shared memory";
  }
  return nullptr;
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  constexpr int kKernel = 7, kStride = 2;
  const StemShape s = stem_shape(call);
  const LaunchShape grid{.grid_x = call.in[0].shape[0] * s.tiles_y * s.tiles_x * s.panels,
                         .block = kThreads,
                         .shared = shared_bytes(call),
                         .waits = true};
  const auto kernel = s.kernel_w == kKernel && s.stride == kStride ? conv2d_stem_kernel<T, kKernel, kStride>
                                                                   : conv2d_stem_kernel<T, 0, 0>;
  launch(context, grid, kernel, call.in[0].f32(), call.in[1].f32(), call.in[2].f32(), call.out[0].as<T>(),
         device_rows(call.in[0]), s);
}

void run(const OpCall& call, const RunContext& context) {
  with_activation_type(call.out[0].dtype, [&](auto element) { run_typed<decltype(element)>(call, context); });
}

}  // namespace

extern const Kernel conv2d_stem_sm80;
const Kernel conv2d_stem_sm80 = {.rejects = rejects, .run = run};

}  // namespace spinert
