// box_decode_sm80.cu - the selected anchors or proposals of all groups decoded, clipped and compacted in one launch.
//
// Layout    base [A,4], deltas [1,H,W,4a] per level or [R,4C]; the four deltas of a box are neighbours
// Tile      one block of 1024 threads per group, a box per thread; one more block counts the invalid boxes of all
// groups,
//           decoding them again: adding the groups' numbers would take a second launch
// Work      about 70 operations a box, two exponentials among them
// Bound     latency: index, then base and deltas, two trips to memory; then a scan with two barriers
// Measured  not yet: no card was available; predicted 4 us for 5 groups of 1000: 60 bytes a box are 0.1 us at 4.3 TB/s,
//           a launch 1.3 us, the rest is waiting
// Rejects   nothing
// Numerics  bit-equal: decode_one is the reference's own; kept boxes move up in the order of the selection
// Tried     nothing else
#include <algorithm>

#include "kernels/base/block_scan.cuh"
#include "kernels/box_decode/box_decode.h"

namespace spinert {
namespace {

constexpr int kThreads = 1024;
constexpr int kMaxLevels = 64;  // box_decode_infer allows no more

enum Input { kBase, kIndex, kScore, kCount, kDeltas };

// Where a group's boxes and deltas lie: index i reads base[i] and delta + i * stride.
struct GroupView {
  const float* base;
  const float* delta;
  int64_t length, stride;
};

struct Groups {
  const float* base;
  DeviceRows rows;
  const float* deltas[kMaxLevels];
  int64_t first[kMaxLevels], length[kMaxLevels];  // of a level in base
  const float* table;                             // deltas by class; null: by level
  DeviceRows table_rows;
  int64_t columns;
  int count;

  __device__ GroupView view(int g) const {
    const int64_t all = rows.get();
    if (table) {
      const int64_t limit = table_rows.get();
      return {base, table + (g + 1) * 4, all < limit ? all : limit, columns};
    }
    const int64_t left = all > first[g] ? all - first[g] : 0;
    return {base + first[g] * 4, deltas[g], left < length[g] ? left : length[g], 4};
  }
};

struct Selection {
  const int32_t* index;
  const float* score;
  const int32_t* count;
  int64_t k;

  __device__ int64_t selected(int g) const { return count[g] < 0 ? 0 : (count[g] > k ? k : count[g]); }
};

struct Outputs {
  float* boxes;
  float* scores;
  int32_t* count;
  int32_t* invalid;
};

__device__ Decoded decode_at(const GroupView& view, int64_t i, const DecodeSettings& settings, Box& box) {
  if (i < 0 || i >= view.length) return Decoded::invalid;
  return decode_one(view.base + i * 4, view.delta + i * view.stride, settings, box);
}

__device__ void count_invalid(const Groups& groups, const Selection& selection, const DecodeSettings& settings,
                              int32_t* invalid, int64_t* partials) {
  int64_t bad = 0;
  for (int g = 0; g < groups.count; ++g) {
    const GroupView view = groups.view(g);
    const int64_t selected = selection.selected(g);
    for (int64_t j = threadIdx.x; j < selected; j += kThreads) {
      Box box{};
      bad += decode_at(view, selection.index[g * selection.k + j], settings, box) == Decoded::invalid ? 1 : 0;
    }
  }
  const Scan<int64_t> scan = block_scan(bad, int64_t{0}, ScanSum(), partials);
  if (threadIdx.x == 0) *invalid = static_cast<int32_t>(scan.total < INT32_MAX ? scan.total : INT32_MAX);
}

__global__ void __launch_bounds__(kThreads, 1)
    decode_kernel(Groups groups, Selection selection, DecodeSettings settings, Outputs out) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(int64_t, wide_partials, kWarp);
  SPINERT_SHARED(int32_t, partials, kWarp);
  const int g = static_cast<int>(blockIdx.x);
  if (g == groups.count) return count_invalid(groups, selection, settings, out.invalid, wide_partials);
  const GroupView view = groups.view(g);
  const int64_t k = selection.k, selected = selection.selected(g);
  float* boxes = out.boxes + g * k * 4;
  float* scores = out.scores + g * k;
  int64_t kept = 0;
  for (int64_t first = 0; first < selected; first += kThreads) {
    const int64_t j = first + threadIdx.x;
    Box box{};
    const bool keep = j < selected && decode_at(view, selection.index[g * k + j], settings, box) == Decoded::kept;
    const Scan<int32_t> scan = block_scan(keep ? 1 : 0, 0, ScanSum(), partials);
    if (keep) {
      const int64_t at = kept + scan.inclusive - 1;
      boxes[at * 4] = box.x1;
      boxes[at * 4 + 1] = box.y1;
      boxes[at * 4 + 2] = box.x2;
      boxes[at * 4 + 3] = box.y2;
      scores[at] = selection.score[g * k + j];
    }
    kept += scan.total;
  }
  for (int64_t i = kept * 4 + threadIdx.x; i < k * 4; i += kThreads) boxes[i] = 0.0f;
  for (int64_t i = kept + threadIdx.x; i < k; i += kThreads) scores[i] = 0.0f;
  if (threadIdx.x == 0) out.count[g] = static_cast<int32_t>(kept);
}

void run(const OpCall& call, const RunContext& context) {
  Groups groups{};
  groups.base = call.in[kBase].f32();
  groups.rows = device_rows(call.in[kBase]);
  groups.count = static_cast<int>(call.in[kCount].shape[0]);
  if (call.as<BoxDecodeParams>().by_class) {
    const Tensor& deltas = call.in[kDeltas];
    groups.table = deltas.f32();
    groups.table_rows = device_rows(deltas);
    groups.columns = deltas.shape[1];
  } else {
    int64_t first = 0;
    for (int g = 0; g < groups.count; ++g) {
      const Tensor& deltas = call.in[static_cast<size_t>(kDeltas + g)];
      groups.deltas[g] = deltas.f32();
      groups.first[g] = first;
      groups.length[g] = deltas.elements() / 4;
      first += groups.length[g];
    }
  }
  const Selection selection{call.in[kIndex].i32(), call.in[kScore].f32(), call.in[kCount].i32(),
                            call.in[kIndex].shape[1]};
  const Outputs out{call.out[0].f32(), call.out[1].f32(), call.out[2].i32(), call.out[3].i32()};
  launch(context, {.grid_x = int64_t{groups.count} + 1, .block = kThreads, .waits = true}, decode_kernel, groups,
         selection, box_decode_settings(call.as<BoxDecodeParams>()), out);
}

}  // namespace

extern const Kernel box_decode_sm80;
const Kernel box_decode_sm80 = {.run = run};

}  // namespace spinert
