// conv2d_depthwise.inl - depthwise 3x3 convolution of stride 1 or 2 for every CPU level, over simd.h: each channel has
// a kernel of its own, so channels lie in the lanes and nothing is summed across them.
//
// An output row is cut into tiles of kPixels pixels whose windows lie inside the picture; a column of the input is
// loaded once per tile and used by all windows that hold it. Pixels at the left and right border go one by one.
// Channels are the inner loop, so that the lines of a tile are read one after the other.
#pragma once

#include "kernels/base/half.h"
#include "kernels/base/simd.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

#include "kernels/base/activate_vector.inl"

constexpr int kDepthwiseSide = 3;

// One row of the output. X and Y are float or bf16; sums are float.
template <class X, class Y>
struct DepthwiseRow {
  int64_t channels, in_w, out_w, stride, padding;
  int taps;                             // rows of the window that lie inside the picture
  const X* x[kDepthwiseSide];           // those rows
  const float* weight[kDepthwiseSide];  // [column][channel] of each
  const float* bias;                    // or null
  const X* residual;                    // its row, or null
  int64_t residual_upsample;
  Activation activation;
  Y* y;
};

// All lanes of a vector, or the first `count` at the end of a pixel.
template <class S, bool kWhole>
struct Lanes {
  int64_t count;
  template <class T>
  typename S::V load(const T* p) const {
    if constexpr (kWhole) return S::loadu(p);
    return S::load_n(p, count);
  }
  template <class T>
  void store(T* p, typename S::V v) const {
    if constexpr (kWhole) return S::storeu(p, v);
    S::store_n(p, v, count);
  }
};

template <class S, class L, class X, class Y>
void depthwise_finish(const DepthwiseRow<X, Y>& row, int64_t ox, int64_t c, const L& lanes, typename S::V sum) {
  if (row.bias) sum = S::add(sum, lanes.load(row.bias + c));
  if (row.residual) {
    sum = S::add(sum, lanes.load(row.residual + ox / row.residual_upsample * row.channels + c));
  }
  lanes.store(row.y + ox * row.channels + c, activate_vector<S>(row.activation, sum));
}

// Pixels ox to ox + kPixels - 1, every column of their windows inside the picture. A sum is one chain over the taps in
// the order of the window, as in depthwise_pixel.
template <class S, int kStride, int kPixels, class L, class X, class Y>
void depthwise_tile(const DepthwiseRow<X, Y>& row, int64_t ox, int64_t c, const L& lanes) {
  constexpr int kColumns = (kPixels - 1) * kStride + kDepthwiseSide;
  typename S::V sum[kPixels];
  for (auto& v : sum) v = S::zero();
  const int64_t first = (ox * kStride - row.padding) * row.channels + c;
  for (int i = 0; i < row.taps; ++i) {
    const X* x = row.x[i] + first;
    typename S::V weight[kDepthwiseSide];
    for (int j = 0; j < kDepthwiseSide; ++j) weight[j] = lanes.load(row.weight[i] + j * row.channels + c);
#pragma GCC unroll 32
    for (int column = 0; column < kColumns; ++column) {
      const typename S::V value = lanes.load(x + column * row.channels);
#pragma GCC unroll 3
      for (int j = 0; j < kDepthwiseSide; ++j) {
        const int pixel = (column - j) / kStride;
        if (column < j || (column - j) % kStride != 0 || pixel >= kPixels) continue;
        sum[pixel] = S::madd(value, weight[j], sum[pixel]);
      }
    }
  }
#pragma GCC unroll 32
  for (int pixel = 0; pixel < kPixels; ++pixel) depthwise_finish<S>(row, ox + pixel, c, lanes, sum[pixel]);
}

// One pixel; columns outside the picture are left out.
template <class S, class L, class X, class Y>
void depthwise_pixel(const DepthwiseRow<X, Y>& row, int64_t ox, int64_t c, const L& lanes) {
  const int64_t left = ox * row.stride - row.padding;
  typename S::V sum = S::zero();
  for (int i = 0; i < row.taps; ++i) {
    for (int64_t j = 0; j < kDepthwiseSide; ++j) {
      const int64_t column = left + j;
      if (column < 0 || column >= row.in_w) continue;
      const auto weight = lanes.load(row.weight[i] + j * row.channels + c);
      sum = S::madd(lanes.load(row.x[i] + column * row.channels + c), weight, sum);
    }
  }
  depthwise_finish<S>(row, ox, c, lanes, sum);
}

// part(c, lanes) for every vector of channels.
template <class S, class Part>
void for_channels(int64_t channels, Part part) {
  int64_t c = 0;
  for (; c + S::kLanes <= channels; c += S::kLanes) part(c, Lanes<S, true>{S::kLanes});
  if (c < channels) part(c, Lanes<S, false>{channels - c});
}

template <class S, int kStride, int kPixels, class X, class Y>
void depthwise_row(const DepthwiseRow<X, Y>& row) {
  // Output pixels whose windows lie inside: [begin, end).
  const int64_t begin = (row.padding + kStride - 1) / kStride;
  const int64_t last_left = row.in_w + row.padding - kDepthwiseSide;  // largest ox * stride of a window inside
  const int64_t end = last_left < 0 ? 0 : std::min(row.out_w, last_left / kStride + 1);
  for (int64_t ox = 0; ox < row.out_w;) {
    if (ox >= begin && ox + kPixels <= end) {
      for_channels<S>(row.channels,
                      [&](int64_t c, const auto& lanes) { depthwise_tile<S, kStride, kPixels>(row, ox, c, lanes); });
      ox += kPixels;
    } else {
      for_channels<S>(row.channels, [&](int64_t c, const auto& lanes) { depthwise_pixel<S>(row, ox, c, lanes); });
      ++ox;
    }
  }
}

template <class S, int kPixels, class X, class Y>
void depthwise_as(const OpCall& call, const RunContext& context) {
  enum Input { kX, kWeight, kBias, kResidual };
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const auto* x = static_cast<const X*>(call.in[kX].data);
  const auto* residual = call.has(kResidual) ? static_cast<const X*>(call.in[kResidual].data) : nullptr;
  DepthwiseRow<X, Y> whole{};
  whole.channels = s.in_c;
  whole.in_w = s.in_w;
  whole.out_w = s.out_w;
  whole.stride = p.stride;
  whole.padding = p.padding;
  whole.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  whole.residual_upsample = p.residual_upsample;
  whole.activation = p.activation;
  context.pool->run(call.in[kX].rows() * s.out_h, [&](WorkRange range) {
    DepthwiseRow<X, Y> row = whole;
    for (int64_t r = range.begin; r < range.end; ++r) {
      const int64_t n = r / s.out_h, oy = r % s.out_h;
      row.taps = 0;
      for (int64_t i = 0; i < kDepthwiseSide; ++i) {
        const int64_t y = oy * p.stride + i - p.padding;
        if (y < 0 || y >= s.in_h) continue;
        row.x[row.taps] = x + (n * s.in_h + y) * s.in_w * s.in_c;
        row.weight[row.taps++] = call.in[kWeight].f32() + i * kDepthwiseSide * s.in_c;
      }
      if (residual) row.residual = residual + (n * s.residual_h + oy / p.residual_upsample) * s.residual_w * s.out_c;
      row.y = static_cast<Y*>(call.out[0].data) + r * s.out_w * s.out_c;
      p.stride == 1 ? depthwise_row<S, 1, kPixels>(row) : depthwise_row<S, 2, kPixels>(row);
    }
  });
}

template <class S, int kPixels>
void depthwise_run(const OpCall& call, const RunContext& context) {
  const bool half_in = call.in[0].dtype == DType::bf16, half_out = call.out[0].dtype == DType::bf16;
  if (half_in) {
    half_out ? depthwise_as<S, kPixels, bf16, bf16>(call, context)
             : depthwise_as<S, kPixels, bf16, float>(call, context);
  } else {
    half_out ? depthwise_as<S, kPixels, float, bf16>(call, context)
             : depthwise_as<S, kPixels, float, float>(call, context);
  }
}

inline const char* depthwise_rejects(const OpCall& call) {
  const auto& p = call.as<Conv2dParams>();
  const Shape& weight = call.in[1].shape;
  if (p.groups != call.in[0].shape[3] || weight[3] != p.groups) return "not depthwise";
  if (weight[0] != kDepthwiseSide || weight[1] != kDepthwiseSide || p.dilation != 1) return "not 3x3";
  if (p.stride > 2) return "stride above 2";
  return nullptr;
}

}  // namespace
}  // namespace spinert
