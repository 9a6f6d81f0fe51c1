#include "kernels/base/igemm/igemm_f32.h"

#include <algorithm>
#include <cstring>

namespace spinert {
namespace {

// row_part(row, column, count, to) writes that many columns of a row of the weight as floats.
template <class RowPart>
void pack_panels(const IgemmCall& p, int64_t panel, float* packed, ThreadPool& pool, RowPart row_part) {
  const int64_t padded_c = p.lines_per_tap() * kF32Line, taps = p.taps();
  // An item is one tap of one panel, so that even a weight with a single panel is packed by all threads.
  pool.run(divide_up(p.out_c, panel) * taps, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t tap = item % taps, o = item / taps * panel, used = std::min(panel, p.out_c - o);
      float* to = packed + item * padded_c * panel;
      for (int64_t c = 0; c < p.in_c; ++c, to += panel) {
        row_part(tap * p.in_c + c, o, used, to);
        std::fill(to + used, to + panel, 0.0f);
      }
      std::fill(to, to + (padded_c - p.in_c) * panel, 0.0f);
    }
  });
}

}  // namespace

int64_t igemm_f32_packed(const IgemmCall& p, int64_t panel) {
  return divide_up(p.out_c, panel) * panel * p.lines() * kF32Line;
}

void igemm_f32_pack(const IgemmCall& p, int64_t panel, float* packed, ThreadPool& pool) {
  pack_panels(p, panel, packed, pool, [&](int64_t row, int64_t column, int64_t count, float* to) {
    std::memcpy(to, p.weight + row * p.out_c + column, static_cast<size_t>(count) * sizeof(float));
  });
}

void igemm_f32_pack_i8(const IgemmCall& p, const StoredI8& weight, int64_t panel, float* packed, ThreadPool& pool) {
  pack_panels(p, panel, packed, pool, [&](int64_t row, int64_t column, int64_t count, float* to) {
    const int8_t* values = weight.values + row * p.out_c + column;
    const float* scale = weight.scale + column;
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(values[i]) * scale[i];
  });
}

}  // namespace spinert
