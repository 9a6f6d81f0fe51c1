// nms_bitmask_sm80.cu - greedy suppression of all groups by bit masks, then one list of all groups. Three launches:
// mask finds, for every box, which of each 64 boxes before it overlap it too much; resolve goes through a group 64
// boxes at a time; merge finds the place of every kept box in the list: its own plus, by bisection, those of the other
// groups.
//
// Layout    boxes [G,k,4], scores [G,k]; masks in scratch [G][ceil(k/64)][k] words of 64 bits
// Tile      mask: 256 boxes x 64 suppressors a block; resolve: 1024 threads, a box each; merge: 256 kept boxes a block
// Work      k^2/2 IoU a group, about 20 operations each
// Bound     mask: arithmetic, 5 groups of 1000 are 2.5 M IoU; resolve: latency, two barriers for every 64 boxes
// Measured  not yet: no card was available; predicted 12 us for 5 groups of 1000: three launches 4 us, mask 1.5 us at a
//           tenth of 67 TFLOP/s, resolve 16 rounds of 0.25 us, merge 2 us
// Rejects   k above 524288: its bits would not fit shared memory, and the masks would take 34 GB; G above 65535
// Numerics  bit-equal: box_iou itself. Disjoint boxes skip it: an intersection of 0 gives 0 or NaN, above no threshold
// Tried     nothing else yet
#include <algorithm>

#include "kernels/base/block_scan.cuh"
#include "kernels/base/box.h"
#include "kernels/nms/nms.h"

namespace spinert {
namespace {

constexpr int kWord = 64;  // boxes of one mask word
constexpr int kMaskThreads = 256, kResolveThreads = 1024, kMergeThreads = 256;
constexpr int64_t kMaxBoxes = 524288, kMaxGroups = 65535;
constexpr float kHighest = std::numeric_limits<float>::infinity();

// What resolve leaves for merge of one group. A rank is what a kept box is ordered by in the merged list: the smallest
// score up to it, because a list that is merged from its head gives a box no earlier than the one before it. Without
// NaN that is all. A NaN at the head of the first list that is not empty goes at once; at the head of a later one it
// waits until all lists before are empty, and goes then. So its rank is at most the lowest rank of the groups before.
struct Kept {
  int32_t count;
  int32_t first_nan;  // position of the first NaN among the kept; INT32_MAX if there is none
  float lowest;       // the last rank, without what NaN does to it
};

struct Scratch {
  uint64_t* masks;
  int32_t* position;  // [G][k] kept boxes of a group in their order
  float* rank;        // [G][k] their ranks, a NaN passed over
  Kept* kept;         // [G]
  int64_t words;      // of 64 boxes in a group
  int64_t total;      // bytes
};

struct Call {
  const float* boxes;
  const float* scores;
  const int32_t* counts;
  int64_t k, max_output;
  int32_t groups;
  float threshold;

  __device__ int32_t count(int g) const {
    const int64_t n = counts[g] < 0 ? 0 : (counts[g] > k ? k : counts[g]);
    return static_cast<int32_t>(n);
  }
  __device__ Box box(int g, int64_t j) const {
    const float* p = boxes + (g * k + j) * 4;
    return {p[0], p[1], p[2], p[3]};
  }
};

struct Outputs {
  float* boxes;
  float* scores;
  int32_t* group;
  int32_t* count;
};

struct alignas(16) Suppressor {
  Box box;
};

__device__ bool suppresses(const Box& better, float better_area, const Box& box, float area, float threshold) {
  // Most pairs are disjoint, and a division of 0 is the slow kind on the card.
  if (box_min(better.x2, box.x2) <= box_max(better.x1, box.x1)) return false;
  if (box_min(better.y2, box.y2) <= box_max(better.y1, box.y1)) return false;
  return box_iou(better, better_area, box, area) > threshold;
}

__global__ void __launch_bounds__(kMaskThreads) mask_kernel(Call call, Scratch scratch) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(Suppressor, better, kWord);
  SPINERT_SHARED(float, better_area, kWord);
  const int thread = static_cast<int>(threadIdx.x), g = static_cast<int>(blockIdx.z);
  const int32_t count = call.count(g);
  const int32_t word = static_cast<int32_t>(blockIdx.y), first = word * kWord;
  const int32_t tile = static_cast<int32_t>(blockIdx.x) * kMaskThreads;
  if (tile >= count || first >= tile + kMaskThreads || first >= count) return;
  if (thread < kWord && first + thread < count) {
    better[thread].box = call.box(g, first + thread);
    better_area[thread] = box_area(better[thread].box);
  }
  __syncthreads();
  const int32_t j = tile + thread;
  if (j >= count || j < first) return;
  const Box box = call.box(g, j);
  const float area = box_area(box);
  const int limit = j - first < kWord ? j - first : kWord;  // only boxes before j
  uint64_t mask = 0;
  for (int i = 0; i < limit; ++i) {
    if (suppresses(better[i].box, better_area[i], box, area, call.threshold)) mask |= uint64_t{1} << i;
  }
  scratch.masks[(g * scratch.words + word) * call.k + j] = mask;
}

__device__ uint64_t vote(bool low, bool high) {
  return uint64_t{__ballot_sync(kFullWarp, low)} | uint64_t{__ballot_sync(kFullWarp, high)} << kWarp;
}

// Ranks of the kept boxes of a group, with all threads of the block.
__device__ void rank_kept(const Call& call, const Scratch& scratch, int g, int32_t count, float* partials,
                          int32_t* first_nan) {
  const int32_t* position = scratch.position + g * call.k;
  float* rank = scratch.rank + g * call.k;
  float lowest = kHighest;
  for (int32_t base = 0; base < count; base += kResolveThreads) {
    const int32_t p = base + static_cast<int32_t>(threadIdx.x);
    float score = p < count ? call.scores[g * call.k + position[p]] : kHighest;
    if (score != score) {
      atomicMin(first_nan, p);
      score = kHighest;
    }
    const Scan<float> scan = block_scan(score, kHighest, ScanMin(), partials);
    if (p < count) rank[p] = lowest < scan.inclusive ? lowest : scan.inclusive;
    lowest = lowest < scan.total ? lowest : scan.total;
  }
  __syncthreads();
  if (threadIdx.x == 0) scratch.kept[g] = {count, *first_nan, lowest};
}

// Of 64 boxes at a time, a box stays if none of its suppressors stays. That is a triangular system: started with "all
// stay" and repeated, every round settles at least the next box, and a round that changes nothing has found the one
// solution. Chains of suppression are short, so a few rounds do where going box by box needs 64 steps.
__global__ void __launch_bounds__(kResolveThreads, 1) resolve_kernel(Call call, Scratch scratch) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  SPINERT_SHARED(uint64_t, staying, 1);    // of the 64 boxes just settled
  SPINERT_SHARED(int32_t, kept_count, 1);  // so far
  SPINERT_SHARED(int32_t, first_nan, 1);
  SPINERT_SHARED(float, partials, kWarp);
  auto* removed = reinterpret_cast<uint32_t*>(dynamic_shared());  // one bit per box
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, g = static_cast<int>(blockIdx.x);
  const int32_t count = call.count(g), words = (count + kWord - 1) / kWord;
  const uint64_t* masks = scratch.masks + g * scratch.words * call.k;
  const auto mask_of = [&](int32_t word, int32_t j) {
    return word < words && j < count ? masks[word * call.k + j] : uint64_t{0};
  };
  for (int32_t i = thread; i < words * 2; i += kResolveThreads) removed[i] = 0;
  if (thread == 0) {
    *kept_count = 0;
    *first_nan = INT32_MAX;
  }
  // Loaded one round ahead: the masks of the 64 boxes among themselves, and those of the first boxes behind them.
  uint64_t own_low = mask_of(0, lane), own_high = mask_of(0, lane + kWarp), behind = mask_of(0, kWord + thread);
  int32_t total = 0;
  __syncthreads();
  for (int32_t word = 0; word < words && total < call.max_output; ++word) {
    const int32_t first = word * kWord;
    if (thread < kWarp) {
      const bool low = first + lane < count && (removed[word * 2] >> lane & 1u) == 0;
      const bool high = first + lane + kWarp < count && (removed[word * 2 + 1] >> lane & 1u) == 0;
      uint64_t stay = vote(low, high), next = vote(low && (own_low & stay) == 0, high && (own_high & stay) == 0);
      while (next != stay) {
        stay = next;
        next = vote(low && (own_low & stay) == 0, high && (own_high & stay) == 0);
      }
      int32_t* position = scratch.position + g * call.k;
      const auto keep = [&](int bit) {
        const int32_t at = total + __popcll(stay & ((uint64_t{1} << bit) - 1));
        if ((stay >> bit & 1) != 0 && at < call.max_output) position[at] = first + bit;
      };
      keep(lane);
      keep(lane + kWarp);
      if (lane == 0) {
        *staying = stay;
        *kept_count = total + __popcll(stay);
      }
      own_low = mask_of(word + 1, first + kWord + lane);
      own_high = mask_of(word + 1, first + kWord + lane + kWarp);
    }
    __syncthreads();
    const uint64_t stay = *staying;
    total = *kept_count;
    const uint64_t nearest = behind;
    behind = mask_of(word + 1, first + 2 * kWord + thread);
    for (int32_t j = first + kWord + thread; j - lane < count; j += kResolveThreads) {
      const uint64_t mask = j < first + kWord + kResolveThreads ? nearest : mask_of(word, j);
      const unsigned votes = __ballot_sync(kFullWarp, (mask & stay) != 0);
      if (lane == 0) removed[j / kWarp] |= votes;
    }
    __syncthreads();
  }
  const int32_t kept = total < call.max_output ? total : static_cast<int32_t>(call.max_output);
  rank_kept(call, scratch, g, kept, partials, first_nan);
}

// Whether the box of rank a in group g goes before the one of rank b in another group h.
__device__ bool goes_before(float a, int g, float b, int h) {
  return a > b || (a == b && g < h);
}

__global__ void __launch_bounds__(kMergeThreads) merge_kernel(Call call, Scratch scratch, Outputs out, int64_t blocks) {
  ptx::grid_dependency_wait();
  ptx::grid_dependency_launch();
  const int g = static_cast<int>(blockIdx.x / blocks);
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    int64_t sum = 0;
    for (int h = 0; h < call.groups; ++h) sum += scratch.kept[h].count;
    *out.count = static_cast<int32_t>(sum < call.max_output ? sum : call.max_output);
  }
  if (g >= call.groups) return;
  const int64_t p = static_cast<int64_t>(blockIdx.x % blocks) * kMergeThreads + threadIdx.x;
  if (p >= scratch.kept[g].count) return;
  // The rank of a box: limited by the groups before it once its group has come upon a NaN.
  const auto rank_of = [&](int h, const Kept& kept, int64_t i, float lowest_before) {
    const float rank = scratch.rank[h * call.k + i];
    return i >= kept.first_nan && lowest_before < rank ? lowest_before : rank;
  };
  float lowest_before = kHighest;
  for (int h = 0; h < g; ++h) {
    const Kept kept = scratch.kept[h];
    if (kept.count > 0 && kept.lowest < lowest_before) lowest_before = kept.lowest;
  }
  const float rank = rank_of(g, scratch.kept[g], p, lowest_before);
  int64_t place = p;
  lowest_before = kHighest;
  for (int h = 0; h < call.groups; ++h) {
    const Kept kept = scratch.kept[h];
    int64_t begin = 0, end = h == g ? 0 : kept.count;  // ranks do not rise within a group
    while (begin < end) {
      const int64_t middle = (begin + end) / 2;
      if (goes_before(rank_of(h, kept, middle, lowest_before), h, rank, g)) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    place += begin;
    if (kept.count > 0 && kept.lowest < lowest_before) lowest_before = kept.lowest;
  }
  if (place >= call.max_output) return;
  const int64_t entry = scratch.position[g * call.k + p];
  const Box box = call.box(g, entry);
  float* to = out.boxes + place * 4;
  to[0] = box.x1;
  to[1] = box.y1;
  to[2] = box.x2;
  to[3] = box.y2;
  out.scores[place] = call.scores[g * call.k + entry];
  out.group[place] = g;
}

Scratch layout(const OpCall& call, void* memory) {
  const int64_t groups = call.in[1].shape[0], k = call.in[1].shape[1];
  auto* bytes = static_cast<unsigned char*>(memory);
  Scratch scratch{};
  scratch.words = (k + kWord - 1) / kWord;
  scratch.masks = reinterpret_cast<uint64_t*>(bytes);
  int64_t at = groups * scratch.words * k * 8;
  scratch.position = reinterpret_cast<int32_t*>(bytes + at);
  at += groups * k * 4;
  scratch.rank = reinterpret_cast<float*>(bytes + at);
  at += groups * k * 4;
  scratch.kept = reinterpret_cast<Kept*>(bytes + at);
  scratch.total = at + groups * static_cast<int64_t>(sizeof(Kept));
  return scratch;
}

int64_t scratch_bytes(const OpCall& call, int) {
  return layout(call, nullptr).total;
}

const char* rejects(const OpCall& call) {
  if (call.in[1].shape[1] > kMaxBoxes) return "more boxes in a group than its bits in shared memory";
  if (call.in[1].shape[0] > kMaxGroups) return "more groups than a grid has layers";
  return nullptr;
}

void run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<NmsParams>();
  const int64_t groups = call.in[1].shape[0], k = call.in[1].shape[1];
  const Call view{call.in[0].f32(),
                  call.in[1].f32(),
                  call.in[2].i32(),
                  k,
                  p.max_output,
                  static_cast<int32_t>(groups),
                  static_cast<float>(p.threshold)};
  const Scratch scratch = layout(call, context.scratch);
  const Outputs out{call.out[0].f32(), call.out[1].f32(), call.out[2].i32(), call.out[3].i32()};
  const int64_t tiles = (k + kMaskThreads - 1) / kMaskThreads;
  launch(context, {.grid_x = tiles, .grid_y = scratch.words, .grid_z = groups, .block = kMaskThreads, .waits = true},
         mask_kernel, view, scratch);
  launch(context, {.grid_x = groups, .block = kResolveThreads, .shared = scratch.words * 8, .waits = true},
         resolve_kernel, view, scratch);
  // One block even without boxes: the count is written.
  const int64_t blocks = std::max<int64_t>(1, (std::min(k, p.max_output) + kMergeThreads - 1) / kMergeThreads);
  launch(context, {.grid_x = std::max<int64_t>(1, groups * blocks), .block = kMergeThreads, .waits = true},
         merge_kernel, view, scratch, out, blocks);
}

}  // namespace

extern const Kernel nms_bitmask_sm80;
const Kernel nms_bitmask_sm80 = {.rejects = rejects, .run = run, .scratch_bytes = scratch_bytes};

}  // namespace spinert
