// roi_align.inl - body of roi_align for every CPU level, over simd.h: one plan per region, then each bin as a sum of at
// most 4 S^2 weighted pixels, a block of channels at a time in registers.
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
constexpr int64_t kRoiMaxTerms = 4 * kRoiAlignMaxSampling * kRoiAlignMaxSampling;

// The weighted pixels of one bin; weights hold the division by the number of samples.
struct RoiTerms {
  const float* pixel[kRoiMaxTerms];
  float weight[kRoiMaxTerms];
  int64_t count;
};

// Samples outside contribute no term at all, so that a NaN at a replaced position cannot leak in as 0 * NaN.
inline void roi_collect(const RoiAlignParams& p, const RoiPlan& plan, const float* feature, const Shape& f, int64_t by,
                        int64_t bx, RoiTerms& terms) {
  const int64_t s = p.sampling_ratio, channels = f[3], row = f[2] * f[3];
  const float share = 1.0f / static_cast<float>(s * s);
  int64_t n = 0;
  for (int64_t i = 0; i < s; ++i) {
    const RoiTap& y = plan.y[by * s + i];
    if (!y.inside) continue;
    const float *low = feature + y.low * row, *high = feature + y.high * row;
    const float weight_low = y.weight_low * share, weight_high = y.weight_high * share;
    for (int64_t j = 0; j < s; ++j) {
      const RoiTap& x = plan.x[bx * s + j];
      if (!x.inside) continue;
      const int64_t left = x.low * channels, right = x.high * channels;
      terms.pixel[n] = low + left;
      terms.weight[n++] = weight_low * x.weight_low;
      terms.pixel[n] = low + right;
      terms.weight[n++] = weight_low * x.weight_high;
      terms.pixel[n] = high + left;
      terms.weight[n++] = weight_high * x.weight_low;
      terms.pixel[n] = high + right;
      terms.weight[n++] = weight_high * x.weight_high;
    }
  }
  terms.count = n;
}

template <class S>
void roi_sum(const RoiTerms& terms, int64_t channels, float* y) {
  using V = typename S::V;
  int64_t c = 0;
  for (; c + kRoiBlock<S> * S::kLanes <= channels; c += kRoiBlock<S> * S::kLanes) {
    V sum[kRoiBlock<S>];
    for (V& v : sum) v = S::zero();
    for (int64_t t = 0; t < terms.count; ++t) {
      const V weight = S::set1(terms.weight[t]);
      const float* pixel = terms.pixel[t] + c;
      for (int64_t b = 0; b < kRoiBlock<S>; ++b) sum[b] = S::madd(weight, S::loadu(pixel + b * S::kLanes), sum[b]);
    }
    for (int64_t b = 0; b < kRoiBlock<S>; ++b) S::storeu(y + c + b * S::kLanes, sum[b]);
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

template <class S>
void roi_align_run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<RoiAlignParams>();
  const int64_t size = p.output_size, channels = call.out[0].shape[3];
  float* out = call.out[0].f32();
  context.pool->run(call.in[0].rows(), [&](WorkRange range) {
    RoiPlan plan;
    RoiTerms terms;
    terms.count = 0;
    for (int64_t r = range.begin; r < range.end; ++r) {
      roi_align_plan(call, r, plan);
      const Tensor& feature = call.in[static_cast<size_t>(1 + plan.level)];
      float* y = out + r * size * size * channels;
      for (int64_t by = 0; by < size; ++by) {
        for (int64_t bx = 0; bx < size; ++bx, y += channels) {
          if (plan.valid) roi_collect(p, plan, feature.f32(), feature.shape, by, bx, terms);
          roi_sum<S>(terms, channels, y);
        }
      }
      terms.count = 0;  // what an invalid region sums
    }
  });
}

}  // namespace
}  // namespace spinert
