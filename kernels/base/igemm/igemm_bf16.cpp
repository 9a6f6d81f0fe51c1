#include "kernels/base/igemm/igemm_bf16.h"

#include <algorithm>

namespace spinert {
const char* igemm_bf16_rejects(const IgemmCall& p) {
  if (p.x.dtype != DType::bf16) return "activations are not bf16";
  return p.groups != 1 ? "groups != 1" : nullptr;
}

int64_t igemm_bf16_packed_bytes(const IgemmCall& p, int64_t panel) {
  return divide_up(p.out_c, panel) * panel * p.lines() * kLineBytes;
}

void igemm_bf16_pack(const IgemmCall& p, int64_t panel, bf16* packed, ThreadPool& pool) {
  const int64_t padded_c = p.lines_per_tap() * kBf16Line, taps = p.taps();
  // An item is one tap of one panel, so that even a weight with a single panel is packed by all threads.
  pool.run(divide_up(p.out_c, panel) * taps, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t tap = item % taps, o = item / taps * panel, used = std::min(panel, p.out_c - o);
      bf16* to = packed + item * padded_c * panel;
      const float* from = p.weight + tap * p.in_c * p.out_c + o;
      for (int64_t c = 0; c < padded_c; ++c) {
        bf16* row = to + c / 2 * 2 * panel + c % 2;
        const int64_t there = c < p.in_c ? used : 0;
        for (int64_t i = 0; i < there; ++i) row[2 * i].bits = f32_to_bf16(from[c * p.out_c + i]);
        for (int64_t i = there; i < panel; ++i) row[2 * i].bits = 0;
      }
    }
  });
}

}  // namespace spinert
