// roi_align_sm80.cu - backend cuda, from sm_80 on: roi_align, one warp per region and row of bins
// Layout    features NHWC f32, f16 or bf16, any C, up to 8 levels, all in one launch; y [R,P,P,C], the order fc6 reads
// Tile      a warp makes one row of P bins; a lane holds 8 channels (16-byte vectors, 32 bytes of f32), or one channel
//           if C % 8 != 0. The taps of the row are computed once by its lanes and shared through shared memory
// Work      per bin and lane 4 S^2 loads of 8 channels and 32 S^2 FFMA
// Bound     1000 regions of 7x7x256 in f16 from four levels of a 1024 canvas: the features once and y, 70 MB -> 16 us
//           at 4.3 TB/s. The taps themselves are 401 MB, which the caches deliver: about 70 us at 5.5 TB/s from the
//           second level, less by what the first one holds
// Measured  not yet: no card was available; predicted 60 us, from the bytes of the taps
// Rejects   nothing
// Numerics  level and positions as the reference, bit for bit (roi_align.h); weights and sums in float, one chain per
//           output in the order of its samples
// Tried     nothing else yet
#include "kernels/base/elementwise.cuh"
#include "kernels/roi_align/roi_align.h"

namespace spinert {
namespace {

constexpr int kWarps = 4, kWarpLanes = 32, kBlocks = 8;  // blocks that fit a multiprocessor

template <class T>
struct RoiMaps {
  const T* data[kRoiAlignMaxLevels];
  int32_t height[kRoiAlignMaxLevels], width[kRoiAlignMaxLevels];
  float scale[kRoiAlignMaxLevels];  // feature pixels per pixel of the canvas
  RoiLevels levels;
};

struct RoiShape {
  int32_t output, samples, groups;  // groups: vectors of channels
};

// kSamples: the sampling ratio if the compiler knows it, else 0.
template <class T, int N, int kSamples>
__global__ void __launch_bounds__(kWarps* kWarpLanes, kBlocks)
    roi_align_kernel(const float* rois, T* y, DeviceRows rows, RoiMaps<T> maps, RoiShape shape) {
  ptx::grid_dependency_wait();
  const int warp = static_cast<int>(threadIdx.x) / kWarpLanes, lane = static_cast<int>(threadIdx.x) % kWarpLanes;
  const int64_t item = int64_t{blockIdx.x} * kWarps + warp;
  if (item >= rows.get() * shape.output) return;
  auto roi = static_cast<uint32_t>(item);
  const int32_t by = take_axis(roi, shape.output), samples = kSamples ? kSamples : shape.samples;
  const int32_t columns = shape.output * samples;

  const float* corner = rois + int64_t{roi} * 4;
  const Box box{corner[0], corner[1], corner[2], corner[3]};
  const bool valid = is_finite(box);
  const int level = valid ? roi_align_level(maps.levels, box) : 0;
  const int32_t height = maps.height[level], width = maps.width[level];
  const float scale = maps.scale[level];

  // Taps of the warp: those of the columns, then those of the rows of this row of bins.
  RoiTap* taps = reinterpret_cast<RoiTap*>(dynamic_shared()) + warp * (columns + samples);
  const RoiAxis across = roi_align_axis(box.x1, box.x2, scale, shape.output);
  const RoiAxis down = roi_align_axis(box.y1, box.y2, scale, shape.output);
  for (int32_t i = lane; i < columns + samples; i += kWarpLanes) {
    taps[i] = i < columns ? roi_align_tap(across, i / samples, i % samples, samples, width)
                          : roi_align_tap(down, by, i - columns, samples, height);
  }
  __syncwarp();

  const float share = 1.0f / static_cast<float>(samples * samples);
  const T* map = maps.data[level];
  for (int32_t bx = 0; bx < shape.output; ++bx) {
    T* bin = y + (item * shape.output + bx) * shape.groups * N;
    for (int32_t group = lane; group < shape.groups; group += kWarpLanes) {
      float sum[N] = {};
      const auto add = [&](float weight, int32_t row, int32_t column) {
        // A map has at most 2^31 elements: 32 bits hold the place of a vector.
        const auto pixel = static_cast<uint32_t>(row) * static_cast<uint32_t>(width) + static_cast<uint32_t>(column);
        const uint32_t place = pixel * static_cast<uint32_t>(shape.groups) + static_cast<uint32_t>(group);
        const Lanes<T, N> in = load_lanes<N>(map + int64_t{place} * N);
#pragma unroll
        for (int c = 0; c < N; ++c) sum[c] = fmaf(weight, ptx::to_float(in.lane[c]), sum[c]);
      };
      for (int32_t i = 0; valid && i < samples; ++i) {
        const RoiTap v = taps[columns + i];
        for (int32_t j = 0; j < samples; ++j) {
          const RoiTap u = taps[bx * samples + j];
          if (!v.inside || !u.inside) continue;
          add(v.weight_low * u.weight_low, v.low, u.low);
          add(v.weight_low * u.weight_high, v.low, u.high);
          add(v.weight_high * u.weight_low, v.high, u.low);
          add(v.weight_high * u.weight_high, v.high, u.high);
        }
      }
      Lanes<T, N> out;
#pragma unroll
      for (int c = 0; c < N; ++c) out.lane[c] = ptx::from_float<T>(sum[c] * share);
      store_lanes(bin + group * N, out);
    }
  }
}

template <class T, int N>
void run_lanes(const OpCall& call, const RunContext& context) {
  constexpr int kUnrolledSamples = 2;
  const auto& p = call.as<RoiAlignParams>();
  RoiMaps<T> maps{};
  maps.levels = roi_align_levels(p, static_cast<int>(call.in.size()) - 1);
  for (size_t l = 0; l + 1 < call.in.size(); ++l) {
    const Tensor& map = call.in[l + 1];
    maps.data[l] = map.as<T>();
    maps.height[l] = static_cast<int32_t>(map.shape[1]);
    maps.width[l] = static_cast<int32_t>(map.shape[2]);
    maps.scale[l] = static_cast<float>(map.shape[1]) / static_cast<float>(p.canvas);
  }
  const RoiShape shape{static_cast<int32_t>(p.output_size), static_cast<int32_t>(p.sampling_ratio),
                       static_cast<int32_t>(call.out[0].shape[3] / N)};
  const int64_t taps = (p.output_size + 1) * p.sampling_ratio;
  const LaunchShape grid{.grid_x = item_blocks(call.out[0].shape[0] * p.output_size, kWarps),
                         .block = kWarps * kWarpLanes,
                         .shared = kWarps * taps * int64_t{sizeof(RoiTap)},
                         .waits = true};
  const auto kernel =
      p.sampling_ratio == kUnrolledSamples ? roi_align_kernel<T, N, kUnrolledSamples> : roi_align_kernel<T, N, 0>;
  launch(context, grid, kernel, call.in[0].f32(), call.out[0].as<T>(), device_rows(call.in[0]), maps, shape);
}

void run(const OpCall& call, const RunContext& context) {
  with_activation_type(call.out[0].dtype, [&](auto element) {
    using T = decltype(element);
    call.out[0].shape[3] % kVectorLanes == 0 ? run_lanes<T, kVectorLanes>(call, context)
                                             : run_lanes<T, 1>(call, context);
  });
}

}  // namespace

extern const Kernel roi_align_sm80;
const Kernel roi_align_sm80 = {.run = run};

}  // namespace spinert
