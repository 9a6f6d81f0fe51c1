// conv2d_stem_mma_sm80.cu - backend cuda, from sm_80 on: 7x7/2 stem convolution on the matrix units, for half outputs
// Layout    grey f32 [N,H,W,1]; weight packed as matrix fragments of f16, high and low part; y NHWC f16 or bf16
// Tile      block: 32 x 16 outputs x 64 channels. A warp: 32 channels x 4 rows, 16 pixels at a time (mma m16n8k16), its
//           weights in 64 registers. K is 7 kernel rows of 7 places and a zero, two rows per mma: two neighbouring
//           places of a pixel are one word of the picture tile, so that nothing is rearranged
// Work      per 16 pixels x 32 channels: 16 words of pixels a lane and 32 mma; with low parts of pixels 32 and 48
// Bound     memory: writing 512x512x64 in f16, 33.6 MB, and reading grey, 4.2 MB -> 8.8 us at 4.3 TB/s; the products
//           are 4.3 GFLOP, 6.4 with low parts of pixels, at 790 TFLOP/s -> 5.4 us, 8.2 us
// Measured  not yet: no card was available; predicted 12 us for 8-bit pictures: mma reaches about 60 % of that rate
// Rejects   kernels other than 7x7 with stride 2, f32 outputs, channels not a multiple of 8
// Numerics  grey and weight are each a high and a low f16 part: high x high + high x low + low x high in float sums,
//           every product within 2^-20 of its size. Whole grey values up to 2048 have no low part, and a tile without
//           any skips the third product, which would add zeros. Weights are scaled by a power of two so that low parts
//           keep their bits. A NaN reaches exactly the outputs whose window holds it; beyond 65504 f16 has no number,
//           and the result is not finite. The same bytes for every batch
// Tried     nothing else; one f16 part for weights would save 2 us and cost 2^-12 of each product, before the mean
//           cancels
#include <cmath>

#include "kernels/base/elementwise.cuh"
#include "kernels/conv2d_stem/conv2d_stem.h"

namespace spinert {
namespace {

constexpr int kSide = 7, kStride = 2, kSteps = 4;  // of the kernel; mma along K, two kernel rows each
constexpr int kWarpLanes = 32, kPanelsPerBlock = 2, kRowWarps = 4, kThreads = kPanelsPerBlock * kRowWarps * kWarpLanes;
constexpr int kTileX = 32, kWarpRows = 4, kTileY = kRowWarps * kWarpRows, kMmaPixels = 16;
constexpr int kPanel = 32, kColumnTiles = 4, kLaneChannels = 8;  // channels of a warp, in mma of 8, of a lane
// Picture tile: words of two places. The last lane reads one place beyond the window of the last pixel.
constexpr int kTileRows = (kTileY - 1) * kStride + kSide, kPitch = kTileX + kSide / 2 + 1,
              kTileWords = kTileRows * kPitch;
constexpr int kParts = 2;                                                       // high, low
constexpr int kPanelVectors = kParts * kSteps * kColumnTiles / 2 * kWarpLanes;  // of four fragment words

struct StemShape {
  int32_t height, width, out_h, out_w, channels, padding;
  int32_t tiles_x, tiles_y, blocks;  // of y; blocks: of 64 channels
  StemClasses rows, columns;
  Activation activation;
};

// What pack() writes; panels of kPanelVectors vectors follow.
struct alignas(16) PackedHead {
  float unscale;  // what a sum is multiplied by: one over the power of two in the weights
};

// Two neighbouring places as high and low f16 parts. Returns whether a low part is not 0.
__device__ __forceinline__ bool split(float left, float right, uint32_t& high, uint32_t& low) {
  high = ptx::pack_f16x2(left, right);
  const float rest_left = left - ptx::to_float(f16{static_cast<uint16_t>(high)});
  const float rest_right = right - ptx::to_float(f16{static_cast<uint16_t>(high >> 16)});
  low = ptx::pack_f16x2(rest_left, rest_right);
  return rest_left != 0.0f || rest_right != 0.0f;
}

// Pixels of one mma: 16 pixels along x, two kernel rows. from: first kernel row of the lane's pixel and place. The
// place behind the window counts as 0 whatever it holds, and so does the eighth kernel row.
__device__ __forceinline__ void load_pixels(const uint32_t* from, bool second_row, uint32_t mask, uint32_t (&a)[4]) {
  a[0] = from[0] & mask;
  a[1] = from[kMmaPixels / 2] & mask;
  a[2] = second_row ? from[kPitch] & mask : 0;
  a[3] = second_row ? from[kPitch + kMmaPixels / 2] & mask : 0;
}

// Eight channels of one output pixel.
template <class T>
__device__ __forceinline__ void store_pixel(const float (&sum)[kColumnTiles][4], int half, float unscale,
                                            const StemShape& s, const float* border, int32_t oy, int32_t ox, T* y) {
  if (ox >= s.out_w) return;
  const int64_t cell = s.rows.of(oy) * s.columns.count + s.columns.of(ox);
  const auto added = load_lanes<kLaneChannels>(border + cell * s.channels);
  Lanes<T, kLaneChannels> out;
#pragma unroll
  for (int c = 0; c < kLaneChannels; ++c) {
    const float value = sum[c / 2][half * 2 + c % 2] * unscale + added.lane[c];
    out.lane[c] = ptx::from_float<T>(activate(s.activation, value));
  }
  store_lanes(y + int64_t{ox} * s.channels, out);
}

template <class T>
__global__ void __launch_bounds__(kThreads, 2)
    conv2d_stem_mma_kernel(const float* grey, const PackedHead* packed, const float* border, T* y, DeviceRows rows,
                           StemShape s) {
  SPINERT_SHARED(uint32_t, high_tile, kTileWords);
  SPINERT_SHARED(uint32_t, low_tile, kTileWords);
  SPINERT_SHARED(int, warp_has_low, kThreads / kWarpLanes);
  ptx::grid_dependency_wait();
  auto rest = static_cast<uint32_t>(blockIdx.x);
  const int32_t block = take_axis(rest, s.blocks);
  const int32_t ox0 = take_axis(rest, s.tiles_x) * kTileX, oy0 = take_axis(rest, s.tiles_y) * kTileY;
  const int64_t picture = rest;
  if (picture >= rows.get()) return;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarpLanes, lane = thread % kWarpLanes;

  const float* image = grey + picture * s.height * s.width;
  const auto place = [&](int32_t iy, int32_t ix) {
    return iy >= 0 && iy < s.height && ix >= 0 && ix < s.width ? image[int64_t{iy} * s.width + ix] : 0.0f;
  };
  bool has_low = false;
  for (int i = thread; i < kTileWords; i += kThreads) {
    const int32_t iy = oy0 * kStride - s.padding + i / kPitch, ix = ox0 * kStride - s.padding + i % kPitch * 2;
    has_low |= split(place(iy, ix), place(iy, ix + 1), high_tile[i], low_tile[i]);
  }
  has_low = __any_sync(0xffffffffu, has_low) != 0;
  if (lane == 0) warp_has_low[warp] = has_low;
  __syncthreads();
  has_low = false;
  for (int i = 0; i < kThreads / kWarpLanes; ++i) has_low |= warp_has_low[i] != 0;

  const int32_t panel = block * kPanelsPerBlock + warp % kPanelsPerBlock;
  const int group = lane / 4, pair = lane % 4;  // row and pair of columns of an mma fragment
  const int32_t first = panel * kPanel + pair * kLaneChannels;
  if (panel * kPanel >= s.channels) return;
  uint32_t weight[kParts][kSteps][kColumnTiles][2];
  const auto* fragments = reinterpret_cast<const Lanes<uint32_t, 4>*>(packed + 1) + panel * kPanelVectors + lane;
#pragma unroll
  for (int i = 0; i < kPanelVectors / kWarpLanes; ++i) {
    const Lanes<uint32_t, 4> words = fragments[i * kWarpLanes];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int at = i * 2 + j / 2;
      weight[at / kColumnTiles / kSteps][at / kColumnTiles % kSteps][at % kColumnTiles][j % 2] = words.lane[j];
    }
  }

  const uint32_t mask = pair == 3 ? 0x0000ffffu : 0xffffffffu;
  const int32_t warp_row = warp / kPanelsPerBlock * kWarpRows;
#pragma unroll 1
  for (int m = 0; m < kWarpRows * kTileX / kMmaPixels; ++m) {
    const int32_t row = warp_row + m / (kTileX / kMmaPixels), column = m % (kTileX / kMmaPixels) * kMmaPixels;
    if (oy0 + row >= s.out_h || ox0 + column >= s.out_w) continue;
    const int32_t from = row * kStride * kPitch + column + group + pair;
    float sum[kColumnTiles][4] = {};
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      uint32_t a[4];
      load_pixels(high_tile + from + step * 2 * kPitch, step + 1 < kSteps, mask, a);
#pragma unroll
      for (int part = 0; part < kParts; ++part) {
#pragma unroll
        for (int q = 0; q < kColumnTiles; ++q) ptx::mma_m16n8k16<f16>(sum[q], a, weight[part][step][q]);
      }
      if (!has_low) continue;
      load_pixels(low_tile + from + step * 2 * kPitch, step + 1 < kSteps, mask, a);
#pragma unroll
      for (int q = 0; q < kColumnTiles; ++q) ptx::mma_m16n8k16<f16>(sum[q], a, weight[0][step][q]);
    }
    if (first >= s.channels) continue;
    const int32_t oy = oy0 + row, ox = ox0 + column + group;
    T* to = y + (picture * s.out_h + oy) * s.out_w * s.channels + first;
    store_pixel(sum, 0, packed->unscale, s, border + first, oy, ox, to);
    store_pixel(sum, 1, packed->unscale, s, border + first, oy, ox + kMmaPixels / 2, to);
  }
}

int64_t channel_blocks(const OpCall& call) {
  return item_blocks(call.in[kPackedInput].shape[3], kPanelsPerBlock * kPanel);
}

int64_t packed_bytes(const OpCall& call) {
  return int64_t{sizeof(PackedHead)} + channel_blocks(call) * kPanelsPerBlock * kPanelVectors * 16;
}

// Column n of column tile q is channel n / 2 * 8 + q * 2 + n % 2 of the panel: the eight sums that a lane holds for a
// pixel are neighbours. Two places of a kernel row make one word.
void pack(const OpCall& call, void* packed, ThreadPool&) {
  const Tensor& weight = call.in[kPackedInput];
  const int64_t channels = weight.shape[3];
  float largest = 0;
  for (int64_t i = 0; i < weight.elements(); ++i) largest = std::max(largest, std::abs(weight.f32()[i]));
  constexpr int kTargetExponent = 14, kMostShift = 100;  // below 2^15: f16 ends at 65504
  const int shift = largest > 0 ? std::clamp(kTargetExponent - std::ilogb(largest), -kMostShift, kMostShift) : 0;
  const float scale = std::ldexp(1.0f, shift);
  *static_cast<PackedHead*>(packed) = {std::ldexp(1.0f, -shift)};

  const auto part_of = [&](int part, int64_t i, int64_t j, int64_t o) -> uint32_t {
    if (i >= kSide || j >= kSide || o >= channels) return 0;
    const float value = weight.f32()[(i * kSide + j) * channels + o] * scale;
    const uint16_t high = f32_to_f16(value);
    return part == 0 ? high : f32_to_f16(value - f16_to_f32(high));
  };
  auto* word = reinterpret_cast<uint32_t*>(static_cast<PackedHead*>(packed) + 1);
  for (int64_t panel = 0; panel < channel_blocks(call) * kPanelsPerBlock; ++panel) {
    for (int i = 0; i < kPanelVectors * 4; ++i) {
      const int reg = i % 2, lane = i / 4 % kWarpLanes, tile = i / 4 / kWarpLanes * 2 + i / 2 % 2;
      const int q = tile % kColumnTiles, step = tile / kColumnTiles % kSteps, part = tile / kColumnTiles / kSteps;
      const int n = lane / 4, row = step * 2 + reg, place = lane % 4 * 2;
      const int64_t o = panel * kPanel + n / 2 * kLaneChannels + q * 2 + n % 2;
      *word++ = part_of(part, row, place, o) | part_of(part, row, place + 1, o) << 16;
    }
  }
}

const char* rejects(const OpCall& call) {
  const Shape& w = call.in[kPackedInput].shape;
  if (!is_half(call.out[0].dtype)) return "output is not a half type";
  if (w[0] != kSide || w[1] != kSide || call.as<Conv2dStemParams>().stride != kStride) return "not 7x7 with stride 2";
  if (w[3] % kLaneChannels != 0) return "channels not a multiple of 8";
  return nullptr;
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<Conv2dStemParams>();
  const Shape &x = call.in[0].shape, &y = call.out[0].shape;
  const auto extent = [](int64_t value) { return static_cast<int32_t>(value); };
  StemShape s{};
  s.height = extent(x[1]);
  s.width = extent(x[2]);
  s.out_h = extent(y[1]);
  s.out_w = extent(y[2]);
  s.channels = extent(y[3]);
  s.padding = extent(p.padding);
  s.tiles_x = extent(item_blocks(y[2], kTileX));
  s.tiles_y = extent(item_blocks(y[1], kTileY));
  s.blocks = extent(channel_blocks(call));
  s.rows = stem_classes(x[1], y[1], kSide, kStride, p.padding);
  s.columns = stem_classes(x[2], y[2], kSide, kStride, p.padding);
  s.activation = p.activation;
  launch(context, {.grid_x = x[0] * s.tiles_y * s.tiles_x * s.blocks, .block = kThreads, .waits = true},
         conv2d_stem_mma_kernel<T>, call.in[0].f32(), static_cast<const PackedHead*>(context.packed), call.in[2].f32(),
         call.out[0].as<T>(), device_rows(call.in[0]), s);
}

void run(const OpCall& call, const RunContext& context) {
  call.out[0].dtype == DType::f16 ? run_typed<f16>(call, context) : run_typed<bf16>(call, context);
}

}  // namespace

extern const Kernel conv2d_stem_mma_sm80;
const Kernel conv2d_stem_mma_sm80 = {.rejects = rejects, .run = run, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
