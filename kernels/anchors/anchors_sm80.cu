// anchors_sm80.cu - the anchors of all levels in one launch. A plan runs it once, when it is opened.
//
// Layout    [A,4], order level, y, x, ratio, size
// Tile      one anchor per thread
// Work      a square root, a division and a dozen operations in double an anchor
// Bound     double arithmetic; it does not matter, see above
// Measured  not yet: no card was available; predicted 10 us for 262 k anchors: 4.2 MB written are 1 us at 4.3 TB/s, the
//           rest is double arithmetic at about a tenth of its peak
// Rejects   nothing
// Numerics  bit-equal: anchor_box is the reference's own
// Tried     computing on the host: run() has no way to device memory but a launch
#include <algorithm>

#include "kernels/anchors/anchor_box.h"
#include "kernels/anchors/anchors.h"
#include "kernels/base/cuda.cuh"

namespace spinert {
namespace {

constexpr int kThreads = 256;

struct Level {
  int64_t first;  // anchor
  int64_t width, stride_x, stride_y;
};

struct Grid {
  Level level[kAnchorLevels];
  double size[kAnchorSizes];
  double ratio[kAnchorRatios];
  int levels, sizes, ratios;  // sizes: per level
  int64_t anchors;
};

__global__ void __launch_bounds__(kThreads) anchors_kernel(Grid grid, float* out) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (i >= grid.anchors) return;
  int level = 0;
  while (level + 1 < grid.levels && i >= grid.level[level + 1].first) ++level;
  const Level& at = grid.level[level];
  const auto local = static_cast<uint32_t>(i - at.first);
  const auto sizes = static_cast<uint32_t>(grid.sizes), ratios = static_cast<uint32_t>(grid.ratios);
  const uint32_t size = local % sizes, ratio = local / sizes % ratios, pixel = local / sizes / ratios;
  const auto width = static_cast<uint32_t>(at.width);
  const Box box = anchor_box(grid.size[level * grid.sizes + static_cast<int>(size)], grid.ratio[ratio],
                             pixel % width * at.stride_x, pixel / width * at.stride_y);
  out[i * 4] = box.x1;
  out[i * 4 + 1] = box.y1;
  out[i * 4 + 2] = box.x2;
  out[i * 4 + 3] = box.y2;
}

void run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<AnchorsParams>();
  const Shape& canvas = call.in[0].shape;
  const size_t levels = call.in.size() - 1;
  Grid grid{};
  grid.levels = static_cast<int>(levels);
  grid.sizes = static_cast<int>(p.sizes.size() / levels);
  grid.ratios = static_cast<int>(p.ratios.size());
  std::copy(p.sizes.begin(), p.sizes.end(), grid.size);
  std::copy(p.ratios.begin(), p.ratios.end(), grid.ratio);
  for (size_t level = 0; level < levels; ++level) {
    const Shape& feature = call.in[level + 1].shape;
    grid.level[level] = {grid.anchors, feature[2], canvas[2] / feature[2], canvas[1] / feature[1]};
    grid.anchors += feature[1] * feature[2] * grid.ratios * grid.sizes;
  }
  launch(context, {.grid_x = (grid.anchors + kThreads - 1) / kThreads, .block = kThreads, .waits = true},
         anchors_kernel, grid, call.out[0].f32());
}

}  // namespace

extern const Kernel anchors_sm80;
const Kernel anchors_sm80 = {.run = run};

}  // namespace spinert
