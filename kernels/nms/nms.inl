// nms.inl - body of nms for every CPU level, over simd.h: each box in order against the list of kept boxes, a vector of
// them at a time, until one suppresses it. The arithmetic per lane is that of box_iou.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/base/box.h"
#include "kernels/base/simd.h"
#include "kernels/nms/nms.h"

namespace spinert {
namespace {

constexpr int64_t kNmsPad = 16;    // the kept list is padded to the widest vector
constexpr int64_t kNmsArrays = 5;  // x1, y1, x2, y2, area

// Scratch: kept positions [G][k], kept counts [G], heads [G], then kNmsArrays lists of kept boxes per thread.
struct NmsLayout {
  int64_t kept, count, heads, lists, list_floats, total;
};

inline NmsLayout nms_layout(const OpCall& call, int threads) {
  const int64_t groups = call.in[1].shape[0], k = call.in[1].shape[1];
  NmsLayout layout{};
  layout.list_floats = (k + kNmsPad - 1) / kNmsPad * kNmsPad;
  layout.kept = 0;
  layout.count = groups * k * 4;
  layout.heads = layout.count + groups * 4;
  layout.lists = (layout.heads + groups * 4 + 63) / 64 * 64;
  layout.total = layout.lists + kNmsArrays * layout.list_floats * 4 * threads;
  return layout;
}

inline int64_t nms_scratch(const OpCall& call, int threads) {
  return nms_layout(call, threads).total;
}

// Whether one of the first n kept boxes (padded with boxes that suppress nothing) suppresses the candidate.
template <class S>
bool nms_suppressed(const float* list, int64_t stride, int64_t n, const Box& candidate, float threshold) {
  using V = typename S::V;
  const V x1 = S::set1(candidate.x1), y1 = S::set1(candidate.y1), x2 = S::set1(candidate.x2);
  const V y2 = S::set1(candidate.y2), area = S::set1(box_area(candidate)), limit = S::set1(threshold);
  for (int64_t i = 0; i < n; i += S::kLanes) {
    const float* p = list + i;
    // Operands in the order of box_iou(kept, candidate): max and min are not symmetric for NaN.
    const V w = S::max(S::sub(S::min(S::loadu(p + 2 * stride), x2), S::max(S::loadu(p), x1)), S::zero());
    const V h = S::max(S::sub(S::min(S::loadu(p + 3 * stride), y2), S::max(S::loadu(p + stride), y1)), S::zero());
    const V inter = S::mul(w, h);
    const V iou = S::div(inter, S::sub(S::add(S::loadu(p + 4 * stride), area), inter));
    if (S::any(S::greater(iou, limit))) return true;
  }
  return false;
}

// Greedy over one group; kept positions go to `kept`. No more than max_output can reach the merged list.
template <class S>
int32_t nms_group(const float* boxes, int64_t count, float threshold, int64_t max_output, float* list, int64_t stride,
                  int32_t* kept) {
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();  // an area of NaN makes the IoU NaN: never above
  int64_t n = 0;
  for (int64_t j = 0; j < count && n < max_output; ++j) {
    const float* p = boxes + j * 4;
    const Box candidate{p[0], p[1], p[2], p[3]};
    if (nms_suppressed<S>(list, stride, n, candidate, threshold)) continue;
    if (n % kNmsPad == 0) {
      for (int64_t i = n; i < n + kNmsPad; ++i) {
        for (int64_t a = 0; a < kNmsArrays; ++a) list[a * stride + i] = kNaN;
      }
    }
    list[n] = candidate.x1;
    list[stride + n] = candidate.y1;
    list[2 * stride + n] = candidate.x2;
    list[3 * stride + n] = candidate.y2;
    list[4 * stride + n] = box_area(candidate);
    kept[n++] = static_cast<int32_t>(j);
  }
  return static_cast<int32_t>(n);
}

template <class S>
void nms_run(const OpCall& call, const RunContext& context) {
  static_assert(kNmsPad % S::kLanes == 0);
  const auto& p = call.as<NmsParams>();
  const auto threshold = static_cast<float>(p.threshold);
  const int64_t groups = call.in[1].shape[0], k = call.in[1].shape[1];
  const NmsLayout layout = nms_layout(call, context.pool->size());
  auto* scratch = static_cast<unsigned char*>(context.scratch);
  auto* kept = reinterpret_cast<int32_t*>(scratch + layout.kept);
  auto* kept_count = reinterpret_cast<int32_t*>(scratch + layout.count);
  auto* lists = reinterpret_cast<float*>(scratch + layout.lists);
  const float* boxes = call.in[0].f32();
  const int32_t* counts = call.in[2].i32();
  context.pool->run(groups, [&](WorkRange range) {
    float* list = lists + range.thread * kNmsArrays * layout.list_floats;
    for (int64_t g = range.begin; g < range.end; ++g) {
      const int64_t count = counts[g] < 0 ? 0 : (counts[g] > k ? k : counts[g]);
      kept_count[g] =
          nms_group<S>(boxes + g * k * 4, count, threshold, p.max_output, list, layout.list_floats, kept + g * k);
    }
  });
  nms_merge(call, kept, kept_count, reinterpret_cast<int32_t*>(scratch + layout.heads));
}

}  // namespace
}  // namespace spinert
