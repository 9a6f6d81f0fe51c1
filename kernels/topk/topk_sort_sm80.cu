// topk_sort_sm80.cu - topk where every group fits one block's shared memory: a box head, or the levels of a small
// network. One launch: each block sorts its group, one more block counts the invalid scores of all.
//
// Layout    levels f32 [1,H,W,A] flat, or classes as columns of f32 [R,C]
// Tile      one block of 1024 threads per group, up to 2048 scores as 64-bit numbers (score, index) in 16 KB
// Work      a bitonic sort: 66 steps of one comparison a thread for 2048 scores
// Bound     latency: each of 15 block barriers and about 50 warp barriers waits for shared memory
// Measured  not yet: no card was available; predicted 4 us for 1000 proposals x 2 classes, from 66 steps of about 60
//           clocks at 1.7 GHz and 1.5 us for the launch and the two trips to memory
// Rejects   groups of more than 2048 scores (topk_select_sm80 takes those)
// Numerics  exact: the order is that of integers; NaN becomes the largest number and is never taken
// Tried     nothing else: a radix select needs two launches, which cost more than the sort
#include "kernels/topk/topk_block.cuh"

namespace spinert {
namespace {

constexpr uint64_t kNotANumber = ~uint64_t{0};  // above every entry: the key of -Inf has zeros

__device__ void count_invalid(const TopkGroups& groups, int32_t* invalid, int64_t* partials) {
  int64_t bad = 0;
  for (int g = 0; g < groups.count; ++g) {
    const TopkView view = groups.view(g);
    for (int64_t i = threadIdx.x; i < view.length; i += kTopkThreads) bad += is_finite(view.score(i)) ? 0 : 1;
  }
  const Scan<int64_t> scan = block_scan(bad, int64_t{0}, ScanSum(), partials);
  if (threadIdx.x == 0) *invalid = static_cast<int32_t>(scan.total < INT32_MAX ? scan.total : INT32_MAX);
}

__global__ void __launch_bounds__(kTopkThreads) sort_kernel(TopkGroups groups, TopkOutputs out) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(uint64_t, entries, kTopkSortable);
  SPINERT_SHARED(int64_t, wide_partials, kWarp);
  SPINERT_SHARED(int32_t, partials, kWarp);
  const int g = static_cast<int>(blockIdx.x);
  if (g == groups.count) return count_invalid(groups, out.invalid, wide_partials);
  const TopkView view = groups.view(g);
  int32_t numbers = 0;
  for (int64_t i = threadIdx.x; i < view.length; i += kTopkThreads) {
    const float score = view.score(i);
    entries[i] = score == score ? topk_entry(score, i) : kNotANumber;
    numbers += score == score ? 1 : 0;
  }
  const int64_t available = block_scan(numbers, 0, ScanSum(), partials).total;  // its barriers show the entries to all
  topk_sort(entries, static_cast<uint32_t>(view.length));
  topk_write(out, view, g, entries, available < out.k ? available : out.k, partials);
}

const char* rejects(const OpCall& call) {
  return topk_largest_group(call) > kTopkSortable ? "a group is larger than a block sorts" : nullptr;
}

void run(const OpCall& call, const RunContext& context) {
  launch(context, {.grid_x = topk_group_count(call) + 1, .block = kTopkThreads, .waits = true}, sort_kernel,
         topk_groups(call), topk_outputs(call));
}

}  // namespace

extern const Kernel topk_sort_sm80;
const Kernel topk_sort_sm80 = {.rejects = rejects, .run = run};

}  // namespace spinert
