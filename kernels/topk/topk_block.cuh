// topk_block.cuh - what the topk kernels share: where a group lies, a sort by one block, the outputs of one group.
#pragma once

#include <algorithm>

#include "kernels/base/block_scan.cuh"
#include "kernels/topk/topk.h"
#include "kernels/topk/topk_key.h"

namespace spinert {
namespace {

constexpr int kTopkThreads = 1024;
constexpr int kTopkSortable = 2048;  // scores that one block sorts in shared memory
constexpr int kTopkMaxLevels = 64;   // topk_infer allows no more

// One score and its place, as one number: ascending order is the order of the contract.
__device__ inline uint64_t topk_entry(float score, int64_t index) {
  return uint64_t{topk_key(score)} << 32 | static_cast<uint64_t>(index);
}

struct TopkView {
  const float* scores;
  int64_t length, stride;

  __device__ float score(int64_t i) const { return scores[i * stride]; }
};

// All groups of a call. Levels have one pointer each; classes are columns of one tensor.
struct TopkGroups {
  const float* level[kTopkMaxLevels];
  int64_t length[kTopkMaxLevels];
  const float* table;  // null: levels
  DeviceRows rows;
  int64_t columns;
  int count;

  __device__ TopkView view(int g) const {
    if (!table) return {level[g], length[g], 1};
    return {table + g + 1, rows.get(), columns};
  }
  // Room for the scores of all groups before g.
  __device__ int64_t scores_before(int g) const {
    if (table) return g * rows.capacity;
    int64_t sum = 0;
    for (int h = 0; h < g; ++h) sum += length[h];
    return sum;
  }
};

struct TopkOutputs {
  int32_t* index;
  float* score;
  int32_t* count;
  int32_t* invalid;
  int64_t k;
  TopkThreshold threshold;
};

inline TopkGroups topk_groups(const OpCall& call) {
  TopkGroups groups{};
  groups.count = static_cast<int>(topk_group_count(call));
  if (call.as<TopkParams>().by_class) {
    groups.table = call.in[0].f32();
    groups.rows = device_rows(call.in[0]);
    groups.columns = call.in[0].shape[1];
    return groups;
  }
  for (int g = 0; g < groups.count; ++g) {
    groups.level[g] = call.in[static_cast<size_t>(g)].f32();
    groups.length[g] = topk_group_capacity(call, g);
  }
  return groups;
}

inline TopkOutputs topk_outputs(const OpCall& call) {
  const auto& p = call.as<TopkParams>();
  return {call.out[0].i32(),
          call.out[1].f32(),
          call.out[2].i32(),
          call.out[3].i32(),
          p.k,
          {static_cast<float>(p.threshold), p.strict, p.on_sigmoid}};
}

inline int64_t topk_largest_group(const OpCall& call) {
  int64_t largest = 0;
  for (int64_t g = 0; g < topk_group_count(call); ++g) largest = std::max(largest, topk_group_capacity(call, g));
  return largest;
}

// Sorts n numbers ascending with all threads of the block; a barrier has made them visible before, and one follows.
// Bitonic, with the first step of each merge mirrored: then every comparison puts the smaller number at the lower
// place, and numbers beyond n, which would be the largest, need not exist.
[[gnu::always_inline]] __device__ inline void topk_sort(uint64_t* numbers, uint32_t n) {
  // A step with this stride or a smaller one stays within the 64 numbers that a warp's 32 pairs cover.
  constexpr uint32_t kWarpStride = 32;
  int bits = 0;
  while ((uint64_t{1} << bits) < n) ++bits;
  const uint32_t pairs = bits == 0 ? 0 : uint32_t{1} << (bits - 1);
  for (int merge = 0; merge < bits; ++merge) {
    for (int step = merge; step >= 0; --step) {
      const uint32_t stride = uint32_t{1} << step;
      for (uint32_t p = threadIdx.x; p < pairs; p += kTopkThreads) {
        const uint32_t first = (p >> step) << (step + 1), offset = p & (stride - 1);
        const uint32_t low = first + offset;
        const uint32_t high = step == merge ? first + 2 * stride - 1 - offset : low + stride;
        if (high >= n) continue;
        const uint64_t a = numbers[low], b = numbers[high];
        if (b < a) {
          numbers[low] = b;
          numbers[high] = a;
        }
      }
      const uint32_t next = step > 0 ? stride / 2 : uint32_t{2} << merge;
      if (stride > kWarpStride || next > kWarpStride) {
        __syncthreads();
      } else {
        __syncwarp();
      }
    }
  }
  __syncthreads();
}

// Outputs of group g from its sorted entries: of the first `selected` those that pass the threshold.
__device__ inline void topk_write(const TopkOutputs& out, const TopkView& view, int g, const uint64_t* sorted,
                                  int64_t selected, int32_t* partials) {
  int32_t* index = out.index + g * out.k;
  float* score = out.score + g * out.k;
  int64_t kept = 0;
  for (int64_t base = 0; base < selected; base += kTopkThreads) {
    const int64_t j = base + threadIdx.x;
    const int64_t i = j < selected ? static_cast<int64_t>(sorted[j] & 0xffffffffu) : 0;
    const float value = j < selected ? view.score(i) : 0.0f;  // as it came in: the entry has lost the sign of -0
    const int32_t passes = j < selected && topk_passes(out.threshold, value) ? 1 : 0;
    const Scan<int32_t> scan = block_scan(passes, 0, ScanSum(), partials);
    if (passes) {
      index[kept + scan.inclusive - 1] = static_cast<int32_t>(i);
      score[kept + scan.inclusive - 1] = value;
    }
    kept += scan.total;
  }
  for (int64_t j = kept + threadIdx.x; j < out.k; j += kTopkThreads) {
    index[j] = -1;
    score[j] = 0.0f;
  }
  if (threadIdx.x == 0) out.count[g] = static_cast<int32_t>(kept);
}

}  // namespace
}  // namespace spinert
