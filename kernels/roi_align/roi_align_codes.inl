// roi_align_codes.inl - body of roi_align on maps of u8 codes, over simd.h: as roi_align.inl, with the codes as float
// numbers; the map's zero and scale enter once per bin.
#pragma once

#include "kernels/base/box.h"
#include "kernels/base/simd.h"
#include "kernels/roi_align/roi_align.h"

namespace spinert {
namespace {

constexpr int64_t kRoiCodeTerms = 4 * kRoiAlignMaxSampling * kRoiAlignMaxSampling;
constexpr int64_t kRoiCodeBlock = 4;  // vectors of channels per pass

// The weighted pixels of one bin; weights hold the division by the number of samples, and total is their sum.
struct RoiCodeTerms {
  const uint8_t* pixel[kRoiCodeTerms];
  float weight[kRoiCodeTerms];
  float total;
  int64_t count;
};

void roi_codes_collect(const RoiAlignParams& p, const RoiPlan& plan, const Tensor& feature, int64_t by, int64_t bx,
                       RoiCodeTerms& terms) {
  const int64_t s = p.sampling_ratio, channels = feature.shape[3], row = feature.shape[2] * channels;
  const float share = 1.0f / static_cast<float>(s * s);
  terms.count = 0;
  terms.total = 0;
  const auto add = [&](const uint8_t* pixel, float weight) {
    terms.pixel[terms.count] = pixel;
    terms.weight[terms.count++] = weight;
    terms.total += weight;
  };
  for (int64_t i = 0; plan.valid && i < s; ++i) {
    const RoiTap& y = plan.y[by * s + i];
    if (!y.inside) continue;
    const uint8_t *low = feature.as<uint8_t>() + y.low * row, *high = feature.as<uint8_t>() + y.high * row;
    const float weight_low = y.weight_low * share, weight_high = y.weight_high * share;
    for (int64_t j = 0; j < s; ++j) {
      const RoiTap& x = plan.x[bx * s + j];
      if (!x.inside) continue;
      add(low + x.low * channels, weight_low * x.weight_low);
      add(low + x.high * channels, weight_low * x.weight_high);
      add(high + x.low * channels, weight_high * x.weight_low);
      add(high + x.high * channels, weight_high * x.weight_high);
    }
  }
}

// y = factor * (sum of weight * code - zero * total), as codes of `out`.
template <class S>
void roi_codes_sum(const RoiCodeTerms& terms, const Quantisation& map, const Quantisation& out, int64_t channels,
                   uint8_t* y) {
  using V = typename S::V;
  const V factor = S::set1(map.scale * (1.0f / out.scale));
  const V start = S::set1(-static_cast<float>(map.zero) * terms.total);
  constexpr int64_t kWhole = kRoiCodeBlock * S::kLanes;
  int64_t c = 0;
  for (; c + kWhole <= channels; c += kWhole) {
    V sum[kRoiCodeBlock];
    for (V& v : sum) v = start;
    for (int64_t t = 0; t < terms.count; ++t) {
      const V weight = S::set1(terms.weight[t]);
      const uint8_t* pixel = terms.pixel[t] + c;
      for (int64_t b = 0; b < kRoiCodeBlock; ++b) {
        sum[b] = S::madd(weight, S::load_u8(pixel + b * S::kLanes, S::kLanes), sum[b]);
      }
    }
    for (int64_t b = 0; b < kRoiCodeBlock; ++b) {
      S::store_u8(y + c + b * S::kLanes, S::mul(sum[b], factor), out.zero, S::kLanes);
    }
  }
  for (; c < channels; c += S::kLanes) {
    const int64_t lanes = channels - c < S::kLanes ? channels - c : S::kLanes;
    V sum = start;
    for (int64_t t = 0; t < terms.count; ++t) {
      sum = S::madd(S::set1(terms.weight[t]), S::load_u8(terms.pixel[t] + c, lanes), sum);
    }
    S::store_u8(y + c, S::mul(sum, factor), out.zero, lanes);
  }
}

const char* roi_codes_rejects(const OpCall& call) {
  return call.in[1].dtype == DType::u8 ? nullptr : "takes maps of u8 only";
}

template <class S>
void roi_codes_run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<RoiAlignParams>();
  const int64_t size = p.output_size, channels = call.out[0].shape[3];
  context.pool->run(call.in[0].rows(), [&](WorkRange range) {
    RoiPlan plan;
    RoiCodeTerms terms;
    for (int64_t r = range.begin; r < range.end; ++r) {
      roi_align_plan(call, r, plan);
      const Tensor& feature = call.in[static_cast<size_t>(1 + plan.level)];
      uint8_t* y = call.out[0].as<uint8_t>() + r * size * size * channels;
      for (int64_t bin = 0; bin < size * size; ++bin, y += channels) {
        roi_codes_collect(p, plan, feature, bin / size, bin % size, terms);
        roi_codes_sum<S>(terms, feature.quantisation, call.out[0].quantisation, channels, y);
      }
    }
  });
}

}  // namespace
}  // namespace spinert
