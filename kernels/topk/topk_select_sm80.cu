// topk_select_sm80.cu - topk of large groups: a histogram of the leading 11 bits of each score finds the bin of the
// k-th best; scores up to that bin are gathered, and the last block of a group narrows them down and sorts them.
// Two launches for all groups. No memory need be cleared before: each block owns its histogram in scratch.
//
// Layout    levels f32 [1,H,W,A] flat, or classes as columns of f32 [R,C]
// Tile      blocks of 1024 threads, up to 16 for a group, 4096 scores or more each; histogram of 2048 bins, four copies
//           side by side in shared memory, because neighbouring scores fall into the same few bins
// Work      2 passes over the scores; bitonic sort of up to 2048 entries (score, index) of 64 bits
// Bound     latency: a chain of barriers and trips to L2, then 66 steps of the sort
// Measured  not yet: no card was available; predicted 12 us for the 261 888 scores of five levels, k = 1000: 2.1 MB at
//           4.3 TB/s are 0.5 us, two launches 3 us, the sort 3 us, the rest is waiting
// Rejects   nothing. k above 2048 is sorted in scratch memory by one block: right, but slow
// Numerics  exact. Entries are collected in any order, but they are distinct and the sort is by all their bits, so that
//           the result has one value. Ties across the cut are digits of the index like any others
// Tried     nothing on a card. One histogram per group, cleared by a launch of its own, would be a third launch
#include "kernels/topk/topk_block.cuh"

namespace spinert {
namespace {

constexpr int kDigit = 11, kBins = 1 << kDigit, kCopies = 4;
constexpr int kKeyShift = 32 - kDigit, kEntryShift = 64 - kDigit;  // to the leading digit
constexpr int kMaxBlocks = 16;
constexpr int64_t kBlockScores = 4096;  // fewer are not worth a block of their own

struct Progress {
  uint32_t candidates, blocks_done;
};

struct Scratch {
  uint64_t* entries;     // of each group as many as it has scores
  uint32_t* histograms;  // [groups][blocks][kBins]
  int32_t* invalid;      // [groups][blocks]
  Progress* progress;    // [groups]
  int blocks;            // of the largest group
  int64_t total;         // bytes
};

SPINERT_HOST_DEVICE int blocks_for(int64_t length) {
  const int64_t blocks = (length + kBlockScores - 1) / kBlockScores;
  return static_cast<int>(blocks < 1 ? 1 : (blocks > kMaxBlocks ? kMaxBlocks : blocks));
}

Scratch layout(const OpCall& call, void* memory) {
  const int64_t groups = topk_group_count(call);
  const int blocks = blocks_for(topk_largest_group(call));
  int64_t scores = 0;
  for (int64_t g = 0; g < groups; ++g) scores += topk_group_capacity(call, g);
  auto* bytes = static_cast<unsigned char*>(memory);
  Scratch scratch{};
  scratch.blocks = blocks;
  scratch.entries = reinterpret_cast<uint64_t*>(bytes);
  int64_t at = scores * 8;
  scratch.progress = reinterpret_cast<Progress*>(bytes + at);
  at += groups * static_cast<int64_t>(sizeof(Progress));
  scratch.histograms = reinterpret_cast<uint32_t*>(bytes + at);
  at += groups * blocks * kBins * 4;
  scratch.invalid = reinterpret_cast<int32_t*>(bytes + at);
  scratch.total = at + groups * blocks * 4;
  return scratch;
}

// The part of a group that one block looks at.
struct Part {
  int64_t begin, end;
};
__device__ Part part_of(const TopkView& view, int block, int blocks) {
  const auto length = static_cast<uint32_t>(view.length), count = static_cast<uint32_t>(blocks);
  const int64_t size = (length + count - 1) / count;
  const int64_t begin = size * block < view.length ? size * block : view.length;
  return {begin, begin + size < view.length ? begin + size : view.length};
}

__global__ void __launch_bounds__(kTopkThreads) histogram_kernel(TopkGroups groups, Scratch scratch) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(uint32_t, bins, kBins * kCopies);
  SPINERT_SHARED(int32_t, invalid, 1);
  const int g = static_cast<int>(blockIdx.x) / scratch.blocks, block = static_cast<int>(blockIdx.x) % scratch.blocks;
  if (g >= groups.count) return;
  const TopkView view = groups.view(g);
  const int blocks = blocks_for(view.length);
  if (block >= blocks) return;
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < kBins * kCopies; i += kTopkThreads) bins[i] = 0;
  if (thread == 0) *invalid = 0;
  __syncthreads();
  int32_t bad = 0;
  const Part part = part_of(view, block, blocks);
  for (int64_t i = part.begin + thread; i < part.end; i += kTopkThreads) {
    const float score = view.score(i);
    bad += is_finite(score) ? 0 : 1;
    if (score == score) {
      atomicAdd(&bins[(topk_key(score) >> kKeyShift) * kCopies + static_cast<uint32_t>(thread % kCopies)], 1u);
    }
  }
  if (bad > 0) atomicAdd(invalid, bad);
  __syncthreads();
  const int64_t slot = int64_t{g} * scratch.blocks + block;
  uint32_t* histogram = scratch.histograms + slot * kBins;
  for (int bin = thread; bin < kBins; bin += kTopkThreads) {
    uint32_t sum = 0;
    for (int copy = 0; copy < kCopies; ++copy) sum += bins[bin * kCopies + copy];
    histogram[bin] = sum;
  }
  if (thread != 0) return;
  scratch.invalid[slot] = *invalid;
  if (block == 0) scratch.progress[g] = {0, 0};
}

// What the threads of a gathering block share.
struct Shared {
  uint64_t* entries;  // kTopkSortable
  uint32_t* bins;     // kBins
  uint32_t* partials;
  uint32_t* found;  // bin, number before it, number in it
  uint32_t* total;
};

// In a histogram of which every thread holds two neighbouring bins: the bin of the `rank`-th best, or the last.
struct Cut {
  uint32_t bin, before, inside;
};
__device__ Cut find_cut(uint32_t even, uint32_t odd, uint32_t rank, const Shared& shared) {
  const Scan<uint32_t> scan = block_scan(even + odd, 0u, ScanSum(), shared.partials);
  const uint32_t before = scan.inclusive - even - odd;
  const auto found = [&](uint32_t bin, uint32_t first, uint32_t inside) {
    shared.found[0] = bin;
    shared.found[1] = first;
    shared.found[2] = inside;
  };
  if (threadIdx.x == 0 && scan.total < rank) found(kBins - 1, scan.total, 0);
  if (before < rank && before + even >= rank) found(2 * threadIdx.x, before, even);
  if (before + even < rank && scan.inclusive >= rank) found(2 * threadIdx.x + 1, before + even, odd);
  __syncthreads();
  return {shared.found[0], shared.found[1], shared.found[2]};  // the barriers of the next scan protect them
}

// Of n entries, those up to the leading digit of the cut, leaves in shared memory a superset of the k best that can be
// sorted there; returns their number. Fixes one digit after the other; entries are distinct, so the last one ends it.
__device__ uint32_t narrow(const uint64_t* entries, uint32_t n, uint32_t k, const Cut& leading, const Shared& shared) {
  const uint32_t thread = threadIdx.x;
  int shift = kEntryShift;
  uint64_t prefix = leading.bin;
  uint32_t before = leading.before, left = n;  // entries below the prefix, entries up to it
  while (left > kTopkSortable) {
    const int width = shift < kDigit ? shift : kDigit;
    const uint64_t mask = (uint64_t{1} << width) - 1;
    shift -= width;
    for (uint32_t bin = thread; bin < kBins; bin += kTopkThreads) shared.bins[bin] = 0;
    __syncthreads();
    for (uint32_t i = thread; i < n; i += kTopkThreads) {
      const uint64_t digits = entries[i] >> shift;
      if (digits >> width == prefix) atomicAdd(&shared.bins[digits & mask], 1u);
    }
    __syncthreads();
    const Cut cut = find_cut(shared.bins[2 * thread], shared.bins[2 * thread + 1], k - before, shared);
    prefix = prefix << width | cut.bin;
    before += cut.before;
    left = before + cut.inside;
  }
  if (thread == 0) *shared.total = 0;
  __syncthreads();
  for (uint32_t i = thread; i < n; i += kTopkThreads) {
    if (entries[i] >> shift <= prefix) shared.entries[atomicAdd(shared.total, 1u)] = entries[i];
  }
  __syncthreads();
  return left;
}

__device__ void sum_invalid(const TopkGroups& groups, const Scratch& scratch, int32_t* invalid, int64_t* partials) {
  int64_t sum = 0;
  for (int slot = static_cast<int>(threadIdx.x); slot < groups.count * scratch.blocks; slot += kTopkThreads) {
    const int blocks = blocks_for(groups.view(slot / scratch.blocks).length);
    if (slot % scratch.blocks < blocks) sum += scratch.invalid[slot];
  }
  const Scan<int64_t> scan = block_scan(sum, int64_t{0}, ScanSum(), partials);
  if (threadIdx.x == 0) *invalid = static_cast<int32_t>(scan.total < INT32_MAX ? scan.total : INT32_MAX);
}

__global__ void __launch_bounds__(kTopkThreads, 1) gather_kernel(TopkGroups groups, Scratch scratch, TopkOutputs out) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(uint64_t, sortable, kTopkSortable);
  SPINERT_SHARED(uint32_t, bins, kBins);
  SPINERT_SHARED(int64_t, wide_partials, kWarp);
  SPINERT_SHARED(uint32_t, partials, kWarp);
  SPINERT_SHARED(int32_t, counts, kWarp);
  SPINERT_SHARED(uint32_t, found, 3);
  SPINERT_SHARED(uint32_t, total, 1);
  SPINERT_SHARED(uint32_t, start, 1);
  SPINERT_SHARED(uint32_t, last, 1);
  const Shared shared{sortable, bins, partials, found, total};
  if (blockIdx.x == 0) sum_invalid(groups, scratch, out.invalid, wide_partials);
  const int g = static_cast<int>(blockIdx.x) / scratch.blocks, block = static_cast<int>(blockIdx.x) % scratch.blocks;
  if (g >= groups.count) return;  // no groups: one block still writes the number of invalid scores
  const TopkView view = groups.view(g);
  const int blocks = blocks_for(view.length);
  if (block >= blocks) return;
  const uint32_t thread = threadIdx.x;

  // The cut, found by every block of the group for itself.
  if (thread == 0) *total = 0;
  uint32_t even = 0, odd = 0;
  for (int b = 0; b < blocks; ++b) {
    const uint32_t* histogram = scratch.histograms + (int64_t{g} * scratch.blocks + b) * kBins;
    even += histogram[2 * thread];
    odd += histogram[2 * thread + 1];
  }
  const uint32_t k = static_cast<uint32_t>(out.k);
  const Cut cut = find_cut(even, odd, k, shared);

  // Room is taken once per block: the first pass counts, the second writes.
  const auto taken = [&](float score) { return score == score && (topk_key(score) >> kKeyShift) <= cut.bin; };
  const Part part = part_of(view, block, blocks);
  uint32_t mine = 0;
  for (int64_t i = part.begin + thread; i < part.end; i += kTopkThreads) mine += taken(view.score(i)) ? 1 : 0;
  uint32_t at = mine > 0 ? atomicAdd(total, mine) : 0;
  __syncthreads();
  if (thread == 0) *start = atomicAdd(&scratch.progress[g].candidates, *total);
  __syncthreads();
  at += *start;
  uint64_t* entries = scratch.entries + groups.scores_before(g);
  for (int64_t i = part.begin + thread; mine > 0 && i < part.end; i += kTopkThreads) {
    const float score = view.score(i);
    if (taken(score)) entries[at++] = topk_entry(score, i);
  }

  // The block that comes last sees the entries of all.
  __threadfence();
  __syncthreads();
  if (thread == 0) {
    *last = atomicAdd(&scratch.progress[g].blocks_done, 1u) + 1 == static_cast<uint32_t>(blocks) ? 1 : 0;
    *start = atomicAdd(&scratch.progress[g].candidates, 0u);
  }
  __syncthreads();
  if (*last == 0) return;
  __threadfence();
  const uint32_t n = *start;
  const uint64_t* sorted = sortable;
  if (k <= kTopkSortable) {
    topk_sort(sortable, narrow(entries, n, k, cut, shared));
  } else {
    topk_sort(entries, n);
    sorted = entries;
  }
  topk_write(out, view, g, sorted, n < k ? n : k, counts);
}

int64_t scratch_bytes(const OpCall& call, int) {
  return layout(call, nullptr).total;
}

void run(const OpCall& call, const RunContext& context) {
  const TopkGroups groups = topk_groups(call);
  const Scratch scratch = layout(call, context.scratch);
  const LaunchShape shape{
      .grid_x = std::max(int64_t{1}, int64_t{groups.count} * scratch.blocks), .block = kTopkThreads, .waits = true};
  launch(context, shape, histogram_kernel, groups, scratch);
  launch(context, shape, gather_kernel, groups, scratch, topk_outputs(call));
}

}  // namespace

extern const Kernel topk_select_sm80;
const Kernel topk_select_sm80 = {.run = run, .scratch_bytes = scratch_bytes};

}  // namespace spinert
