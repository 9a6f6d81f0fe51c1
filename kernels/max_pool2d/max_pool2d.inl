// max_pool2d.inl - body of max_pool2d for every CPU level, over simd.h.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/base/simd.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace spinert {
namespace {

constexpr int64_t kMaxPoolBlock = 4;  // vectors of channels per pass: their maxima stay in registers over the window

// One output row. The window is cut to the picture first, so that the inner loops have no tests.
template <class S, class Element>
void max_pool2d_row(const MaxPool2dParams& p, const Shape& x, const Element* image, int64_t oy, int64_t out_w,
                    Element* y) {
  using V = typename S::V;
  const int64_t height = x[1], width = x[2], channels = x[3];
  const V lowest = S::set1(-std::numeric_limits<float>::infinity());
  const int64_t top = oy * p.stride - p.padding;
  const int64_t y0 = top < 0 ? 0 : top, y1 = top + p.kernel > height ? height : top + p.kernel;
  for (int64_t ox = 0; ox < out_w; ++ox) {
    const int64_t left = ox * p.stride - p.padding;
    const int64_t x0 = left < 0 ? 0 : left, x1 = left + p.kernel > width ? width : left + p.kernel;
    Element* pixel_out = y + ox * channels;
    int64_t c = 0;
    for (; c + kMaxPoolBlock * S::kLanes <= channels; c += kMaxPoolBlock * S::kLanes) {
      V largest[kMaxPoolBlock];
      for (V& v : largest) v = lowest;
      for (int64_t iy = y0; iy < y1; ++iy) {
        const Element* pixel = image + (iy * width + x0) * channels + c;
        for (int64_t ix = x0; ix < x1; ++ix, pixel += channels) {
          for (int64_t b = 0; b < kMaxPoolBlock; ++b) {
            largest[b] = S::max_nan(largest[b], S::loadu(pixel + b * S::kLanes));
          }
        }
      }
      for (int64_t b = 0; b < kMaxPoolBlock; ++b) S::storeu(pixel_out + c + b * S::kLanes, largest[b]);
    }
    for (; c < channels; c += S::kLanes) {
      const int64_t lanes = channels - c < S::kLanes ? channels - c : S::kLanes;
      V largest = lowest;
      for (int64_t iy = y0; iy < y1; ++iy) {
        const Element* pixel = image + (iy * width + x0) * channels + c;
        for (int64_t ix = x0; ix < x1; ++ix, pixel += channels) {
          largest = S::max_nan(largest, S::load_n(pixel, lanes));
        }
      }
      S::store_n(pixel_out + c, largest, lanes);
    }
  }
}

template <class S, class Element>
void max_pool2d_as(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<MaxPool2dParams>();
  const Shape &x = call.in[0].shape, &y = call.out[0].shape;
  const auto* in = static_cast<const Element*>(call.in[0].data);
  auto* out = static_cast<Element*>(call.out[0].data);
  const int64_t in_image = x[1] * x[2] * x[3], out_row = y[2] * y[3];
  context.pool->run(call.in[0].rows() * y[1], [&](WorkRange range) {
    for (int64_t r = range.begin; r < range.end; ++r) {
      max_pool2d_row<S>(p, x, in + r / y[1] * in_image, r % y[1], y[2], out + r * out_row);
    }
  });
}

template <class S>
void max_pool2d_run(const OpCall& call, const RunContext& context) {
  call.in[0].dtype == DType::bf16 ? max_pool2d_as<S, bf16>(call, context) : max_pool2d_as<S, float>(call, context);
}

}  // namespace
}  // namespace spinert
