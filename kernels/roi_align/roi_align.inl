// roi_align.inl - body of roi_align for every CPU level, over simd.h: one plan per region, then each bin as a sum of
// weighted pixels, a block of channels at a time in registers. Three things keep it near the memory's pace:
// - regions are taken in the order of their place on a level, so that the pixels of one are still cached for the next;
// - samples of a bin that read the same row or column are merged: most bins are at most two pixels wide, so that 9
//   pixels are left of the 16 that 2 x 2 samples name;
// - whole vectors of the result go around the caches.
#pragma once

#include "kernels/base/box.h"
#include "kernels/base/simd.h"
#include "kernels/roi_align/roi_align.h"

namespace spinert {
namespace {

// Vectors of channels per pass: 64 channels, of which 8 sums and a weight fit the registers of every level. One lane at
// a time, 4 sums are enough to hide the latency of an addition.
template <class S>
constexpr int64_t kRoiBlock = S::kLanes == 1 ? 4 : 64 / S::kLanes;
constexpr int64_t kRoiMaxTaps = 2 * kRoiAlignMaxSampling;  // of one bin along one axis

// The pixels that the bins of a region read along one axis: entries begin[b] to begin[b + 1] belong to bin b.
struct RoiLine {
  int64_t begin[kRoiAlignMaxOutput + 1];
  int64_t offset[kRoiAlignMaxOutput * kRoiMaxTaps];
  float weight[kRoiAlignMaxOutput * kRoiMaxTaps];
};

// The weighted pixels of one bin. Element is the type of activations, float or bf16; sums are float.
template <class Element>
struct RoiTerms {
  const Element* pixel[kRoiMaxTaps * kRoiMaxTaps];
  float weight[kRoiMaxTaps * kRoiMaxTaps];
  int64_t count;
};

// Samples outside contribute no entry at all, so that a NaN at a replaced position cannot leak in as 0 * NaN. A weight
// of 0 does stay: 0 * NaN is NaN in the reference too. Positions ascend, so that a pixel seen before is one of the last
// two.
inline void roi_merge(const RoiTap* tap, int64_t bins, int64_t samples, int64_t stride, RoiLine& line) {
  const float share = 1.0f / static_cast<float>(samples);
  int64_t n = 0;
  for (int64_t b = 0; b < bins; ++b) {
    line.begin[b] = n;
    const auto add = [&](int64_t pixel, float weight) {
      const int64_t offset = pixel * stride;
      for (int64_t i = n - 1; i >= line.begin[b] && i >= n - 2; --i) {
        if (line.offset[i] != offset) continue;
        line.weight[i] += weight * share;
        return;
      }
      line.offset[n] = offset;
      line.weight[n++] = weight * share;
    };
    for (int64_t i = 0; i < samples; ++i, ++tap) {
      if (!tap->inside) continue;
      add(tap->low, tap->weight_low);
      add(tap->high, tap->weight_high);
    }
  }
  line.begin[bins] = n;
}

template <class Element>
void roi_collect(const RoiLine& rows, int64_t by, const RoiLine& columns, int64_t bx, const Element* feature,
                 RoiTerms<Element>& terms) {
  int64_t n = 0;
  for (int64_t i = rows.begin[by]; i < rows.begin[by + 1]; ++i) {
    for (int64_t j = columns.begin[bx]; j < columns.begin[bx + 1]; ++j, ++n) {
      terms.pixel[n] = feature + rows.offset[i] + columns.offset[j];
      terms.weight[n] = rows.weight[i] * columns.weight[j];
    }
  }
  terms.count = n;
}

// around: y and channels allow whole aligned vectors, which need not pass through the caches.
template <class S, class Element>
void roi_sum(const RoiTerms<Element>& terms, int64_t channels, bool around, Element* y) {
  using V = typename S::V;
  int64_t c = 0;
  for (; c + kRoiBlock<S> * S::kLanes <= channels; c += kRoiBlock<S> * S::kLanes) {
    V sum[kRoiBlock<S>];
    for (V& v : sum) v = S::zero();
    for (int64_t t = 0; t < terms.count; ++t) {
      const V weight = S::set1(terms.weight[t]);
      const Element* pixel = terms.pixel[t] + c;
      for (int64_t b = 0; b < kRoiBlock<S>; ++b) sum[b] = S::madd(weight, S::loadu(pixel + b * S::kLanes), sum[b]);
    }
    for (int64_t b = 0; b < kRoiBlock<S>; ++b) {
      Element* to = y + c + b * S::kLanes;
      around ? S::stream(to, sum[b]) : S::storeu(to, sum[b]);
    }
  }
  for (; c < channels; c += S::kLanes) {
    const int64_t lanes = channels - c < S::kLanes ? channels - c : S::kLanes;
    V sum = S::zero();
    for (int64_t t = 0; t < terms.count; ++t) {
      sum = S::madd(S::set1(terms.weight[t]), S::load_n(terms.pixel[t] + c, lanes), sum);
    }
    S::store_n(y + c, sum, lanes);
  }
}

template <class S, class Element>
void roi_align_as(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<RoiAlignParams>();
  const int64_t size = p.output_size, channels = call.out[0].shape[3];
  auto* out = static_cast<Element*>(call.out[0].data);
  const bool around =
      channels % S::kLanes == 0 && reinterpret_cast<uintptr_t>(out) % (S::kLanes * sizeof(Element)) == 0;
  auto* order = static_cast<uint64_t*>(context.scratch);
  roi_align_order(call, order);
  context.pool->run(call.in[0].rows(), [&](WorkRange range) {
    RoiPlan plan;
    RoiLine rows, columns;
    RoiTerms<Element> terms;
    for (int64_t i = range.begin; i < range.end; ++i) {
      const auto r = static_cast<int64_t>(order[i] & kRoiOrderIndex);
      roi_align_plan(call, r, plan);
      const Tensor& feature = call.in[static_cast<size_t>(1 + plan.level)];
      // An invalid region has no pixels and sums to 0.
      const int64_t bins = plan.valid ? size : 0;
      roi_merge(plan.y, bins, p.sampling_ratio, feature.shape[2] * channels, rows);
      roi_merge(plan.x, bins, p.sampling_ratio, channels, columns);
      terms.count = 0;
      Element* y = out + r * size * size * channels;
      for (int64_t by = 0; by < size; ++by) {
        for (int64_t bx = 0; bx < size; ++bx, y += channels) {
          if (plan.valid) roi_collect(rows, by, columns, bx, static_cast<const Element*>(feature.data), terms);
          roi_sum<S>(terms, channels, around, y);
        }
      }
    }
    S::fence();
  });
}

template <class S>
void roi_align_run(const OpCall& call, const RunContext& context) {
  call.out[0].dtype == DType::bf16 ? roi_align_as<S, bf16>(call, context) : roi_align_as<S, float>(call, context);
}

}  // namespace
}  // namespace spinert
