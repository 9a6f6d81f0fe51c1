#include "kernels/base/igemm_amx.h"

#include "kernels/base/half.h"

namespace spinert {

int64_t amx_packed_bytes(int64_t taps, int64_t in_c, int64_t out_c, int64_t element_bytes) {
  const int64_t chunks = (in_c * element_bytes + kAmxChunkBytes - 1) / kAmxChunkBytes;
  return (out_c + kAmxPanel - 1) / kAmxPanel * taps * chunks * kAmxChunkOf32;
}

void amx_pack_bf16(const float* weight, int64_t taps, int64_t in_c, int64_t out_c, void* packed, ThreadPool& pool) {
  const int64_t pairs = amx_packed_bytes(1, in_c, 1, 2) / (kAmxPanel * 4);  // of one tap, padded to whole chunks
  const int64_t panels = (out_c + kAmxPanel - 1) / kAmxPanel;
  pool.run(panels * taps, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t panel = item / taps, tap = item % taps, o = panel * kAmxPanel;
      auto* to = static_cast<uint16_t*>(packed) + item * pairs * kAmxPanel * 2;
      for (int64_t k = 0; k < pairs * 2; ++k) {
        const float* from = weight + (tap * in_c + k) * out_c + o;
        for (int64_t n = 0; n < kAmxPanel; ++n) {
          const bool there = k < in_c && o + n < out_c;
          to[(k / 2 * kAmxPanel + n) * 2 + k % 2] = there ? f32_to_bf16(from[n]) : uint16_t{0};
        }
      }
    }
  });
}

}  // namespace spinert
