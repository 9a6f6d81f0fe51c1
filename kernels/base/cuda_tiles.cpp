#include "kernels/base/cuda_tiles.h"

#include <algorithm>

#include "kernels/base/igemm_cuda.h"

namespace spinert {
namespace {

// What the model assumes of one multiprocessor. The first two are published for compute capability 8.0; the others are
// estimates. Only their ratios matter for a choice.
constexpr double kMacsPerClock = 1024;      // mma.sync, f16 or bf16
constexpr double kCacheBytesPerClock = 48;  // from the second-level cache: 5120 bytes per clock over 108
constexpr double kSharedBytesPerClock = 128;
constexpr double kStepClocks = 150;     // barrier, ldmatrix and a chain of mma: no step of a block is shorter
constexpr double kBlockClocks = 1500;   // start, first loads, epilogue
constexpr double kLaunchClocks = 3000;  // of the second kernel that adds partial sums

// Cards of 8.6 and 8.9 give a block 99 KB at most.
constexpr int64_t kMostSharedBytes = int64_t{99} << 10;
constexpr int kStages = 4;
// A segment fills the pipeline anew: shorter ones would only load and drain.
constexpr int64_t kFewestSegmentSteps = 8;
// Cutting a sum has to pay: the model is not better than this.
constexpr double kWorthwhile = 0.9;

constexpr int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t steps_of(const GemmShape& shape) {
  return divide_up(shape.depth, kGemmStep);
}
int64_t segment_steps(const GemmShape& shape, int segments) {
  return divide_up(steps_of(shape), segments);
}

bool fits(const TileShape& tile, int segments, bool side_by_side) {
  const int64_t pipeline = int64_t{kStages} * (tile.rows + tile.columns) * kGemmStep * 2;
  const int64_t totals = segments > 1 && !side_by_side ? int64_t{tile.rows} * tile.columns * 4 : 0;
  return pipeline + totals <= kMostSharedBytes;
}

int64_t partial_bytes(const GemmShape& shape, int segments) {
  return int64_t{segments} * shape.rows * shape.columns * int64_t{sizeof(float)};
}

// The best tile and spread for a sum that is cut into that many segments.
TileChoice best_spread(const GemmShape& shape, int segments, int multiprocessors) {
  TileChoice best;
  for (int tile = 0; tile < static_cast<int>(kTileShapes.size()); ++tile) {
    for (const bool side_by_side : {false, true}) {
      if (side_by_side && (segments == 1 || partial_bytes(shape, segments) > kMostPartialBytes)) continue;
      const TileShape& tile_shape = kTileShapes[static_cast<size_t>(tile)];
      if (!fits(tile_shape, segments, side_by_side)) continue;
      const double clocks = predict_clocks(shape, tile_shape, segments, side_by_side, multiprocessors);
      if (best.segment_steps != 0 && clocks >= best.clocks) continue;
      best.tile = tile;
      best.segments = segments;
      best.segment_steps = static_cast<int>(segment_steps(shape, segments));
      best.side_by_side = side_by_side;
      best.scratch_bytes = side_by_side ? partial_bytes(shape, segments) : 0;
      best.clocks = clocks;
    }
  }
  return best;
}

}  // namespace

double predict_clocks(const GemmShape& shape, const TileShape& tile, int segments, bool side_by_side,
                      int multiprocessors) {
  const double steps = static_cast<double>(side_by_side ? segment_steps(shape, segments) : steps_of(shape));
  const int64_t blocks =
      divide_up(shape.rows, tile.rows) * divide_up(shape.columns, tile.columns) * (side_by_side ? segments : 1);
  const double tile_elements = double(tile.rows) * tile.columns;
  // `together` blocks share a multiprocessor: each of its means is a bound, and one block alone is bound by latency.
  const auto round = [&](int64_t together) {
    const double n = static_cast<double>(together);
    const double compute = n * tile_elements * kGemmStep / kMacsPerClock;
    const double cache = n * (tile.rows + tile.columns) * kGemmStep * 2 / kCacheBytesPerClock;
    double clocks = steps * std::max({compute, cache, kStepClocks}) + kBlockClocks;
    if (segments > 1) {
      clocks += side_by_side ? n * tile_elements * 4 / kCacheBytesPerClock
                             : n * segments * tile_elements * 4 * 2 / kSharedBytesPerClock;
    }
    return clocks;
  };
  // Blocks are dealt out evenly; the multiprocessor with the most of them decides.
  const int64_t most = divide_up(blocks, multiprocessors);
  double clocks = static_cast<double>(most / tile.resident) * round(tile.resident);
  if (most % tile.resident != 0) clocks += round(most % tile.resident);
  if (side_by_side) {
    const double moved = double(segments + 1) * double(shape.rows) * double(shape.columns) * 4;
    clocks += kLaunchClocks + moved / (kCacheBytesPerClock * multiprocessors);
  }
  return clocks;
}

TileChoice choose_tile(const GemmShape& shape, int multiprocessors) {
  GemmShape one = shape;
  one.rows = shape.rows_of_one;
  int segments = 1;
  double clocks = best_spread(one, 1, multiprocessors).clocks;
  for (int candidate = 2; candidate <= kMostSegments; candidate *= 2) {
    // Rounding up may leave fewer segments than asked for; only an even cut is taken.
    const int64_t each = segment_steps(shape, candidate);
    if (each < kFewestSegmentSteps || divide_up(steps_of(shape), each) != candidate) continue;
    const double cut = best_spread(one, candidate, multiprocessors).clocks;
    if (cut >= clocks * kWorthwhile) continue;
    segments = candidate;
    clocks = cut;
  }
  TileChoice choice = best_spread(shape, segments, multiprocessors);
  const double macs = double(shape.rows) * double(shape.columns) * double(shape.depth);
  if (choice.clocks > 0) choice.efficiency = macs / (choice.clocks * multiprocessors * kMacsPerClock);
  return choice;
}

}  // namespace spinert
