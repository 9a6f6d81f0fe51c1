// crop_resize.inl - body of crop_resize for every CPU level, over simd.h. Each output row is two passes: the two canvas
// rows are blended into a line buffer with a pixel of zeros on both sides, which takes the tests for "outside" out of
// the second pass, the interpolation along x with two gathers per vector.
#pragma once

#include <algorithm>

#include "kernels/base/simd.h"
#include "kernels/crop_resize/crop_geometry.h"
#include "kernels/crop_resize/crop_resize.h"

namespace spinert {
namespace {

constexpr int64_t kCropPad = 16;  // widest vector: lines may be written in whole vectors

// Scratch of one thread: index and fraction of each output column, then the line of T + 2 pixels.
struct CropLayout {
  int64_t columns, line, bytes;
};

inline CropLayout crop_layout(const OpCall& call) {
  CropLayout layout{};
  layout.columns = (call.as<CropResizeParams>().size + kCropPad - 1) / kCropPad * kCropPad;
  layout.line = (call.in[0].shape[2] + 2 + 2 * kCropPad - 1) / kCropPad * kCropPad;
  layout.bytes = (2 * layout.columns + layout.line) * 4;
  return layout;
}

inline int64_t crop_scratch(const OpCall& call, int threads) {
  return crop_layout(call).bytes * threads;
}

struct CropLine {
  int32_t* index;     // column -> position in `pixels` of its left tap
  float* fraction;    // column -> weight of its right tap
  float* pixels;      // pixels[0] = canvas column -1, pixels[1] = canvas column 0, ...
  int64_t low, high;  // columns of the canvas that this patch reads: [low, high)
};

// Column taps of one patch. Columns with both taps outside read two zeros: position `width + 1`, which is canvas column
// `width`, and its right neighbour, both kept at 0.
inline void crop_columns(const CropSquare& square, int64_t size, int64_t width, CropLine& line) {
  line.low = width;
  line.high = 0;
  for (int64_t u = 0; u < size; ++u) {
    const CropTap tap = crop_resize_tap(square.x0, square.step, u, width);
    const bool outside = tap.low == kCropOutside;
    line.index[u] = outside ? static_cast<int32_t>(width + 1) : tap.low + 1;
    line.fraction[u] = tap.fraction;
    if (outside) continue;
    line.low = std::min<int64_t>(line.low, std::max<int64_t>(tap.low, 0));
    line.high = std::max<int64_t>(line.high, std::min<int64_t>(tap.low + 2, width));
  }
}

// (1 - f) * a + f * b over [line.low, line.high).
template <class S>
void crop_blend(const float* a, const float* b, float f, const CropLine& line) {
  using V = typename S::V;
  const V weight_a = S::set1(1.0f - f), weight_b = S::set1(f);
  for (int64_t x = line.low; x < line.high; x += S::kLanes) {
    const int64_t lanes = std::min<int64_t>(S::kLanes, line.high - x);
    const V upper = a ? S::load_n(a + x, lanes) : S::zero(), lower = b ? S::load_n(b + x, lanes) : S::zero();
    S::store_n(line.pixels + 1 + x, S::madd(weight_a, upper, S::mul(weight_b, lower)), lanes);
  }
}

template <class S>
void crop_interpolate(const CropLine& line, int64_t size, float* y) {
  using V = typename S::V;
  const V one = S::set1(1.0f);
  for (int64_t u = 0; u < size; u += S::kLanes) {
    const int64_t lanes = std::min<int64_t>(S::kLanes, size - u);
    const V f = S::loadu(line.fraction + u);
    const V left = S::gather(line.pixels, line.index + u), right = S::gather(line.pixels + 1, line.index + u);
    S::store_n(y + u, S::madd(S::sub(one, f), left, S::mul(f, right)), lanes);
  }
}

template <class S>
void crop_patch(const CropResizeParams& p, const Tensor& canvas, const CropSquare& square, CropLine& line, float* y) {
  const int64_t size = p.size, height = canvas.shape[1], width = canvas.shape[2];
  if (!square.valid) {
    std::fill(y, y + size * size, 0.0f);
    return;
  }
  crop_columns(square, size, width, line);
  for (int64_t v = 0; v < size; ++v, y += size) {
    const CropTap tap = crop_resize_tap(square.y0, square.step, v, height);
    if (tap.low == kCropOutside) {
      std::fill(y, y + size, 0.0f);
      continue;
    }
    const float* upper = tap.low >= 0 ? canvas.f32() + tap.low * width : nullptr;
    const float* lower = tap.low + 1 < height ? canvas.f32() + (tap.low + 1) * width : nullptr;
    crop_blend<S>(upper, lower, tap.fraction, line);
    crop_interpolate<S>(line, size, y);
  }
}

template <class S>
void crop_resize_run(const OpCall& call, const RunContext& context) {
  static_assert(kCropPad % S::kLanes == 0);
  const auto& p = call.as<CropResizeParams>();
  const auto entries = static_cast<int64_t>(p.table.size() / 3);
  const CropLayout layout = crop_layout(call);
  const float* boxes = call.in[1].f32();
  float* out = call.out[0].f32();
  context.pool->run(call.in[1].rows() * entries, [&](WorkRange range) {
    unsigned char* memory = static_cast<unsigned char*>(context.scratch) + range.thread * layout.bytes;
    CropLine line{};
    line.index = reinterpret_cast<int32_t*>(memory);
    line.fraction = reinterpret_cast<float*>(memory) + layout.columns;
    line.pixels = line.fraction + layout.columns;
    // Gathers of the last vector read whole vectors of indices, so the padding must hold valid ones. The line starts as
    // zeros: its first and last pixels stay so, and what lies between is read only where this patch wrote it.
    std::fill(line.index, line.index + layout.columns, 0);
    std::fill(line.fraction, line.fraction + layout.columns + layout.line, 0.0f);
    for (int64_t n = range.begin; n < range.end; ++n) {
      const CropSquare square = crop_resize_square(p.table.data() + n % entries * 3, p.size, boxes + n / entries * 4);
      crop_patch<S>(p, call.in[0], square, line, out + n * p.size * p.size);
    }
  });
}

}  // namespace
}  // namespace spinert
