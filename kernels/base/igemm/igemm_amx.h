// igemm_amx.h - the implicit matrix product of igemm_call.h in tiles of 16 x 16 (AMX), over bf16 or u8. Of u8 the sum
// is one of whole numbers, (A[m, k] - zero) * B[k, o], times a factor of the channel (kernels/base/quantise.h).
//
// A line of A is the width of a tile row. The packed weights are those of igemm_bf16.h and igemm_u8.h, for panels
// of 32.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/base/igemm/igemm_call.h"

namespace spinert {

// Output tile of one thread: 2 x 2 tiles, so that four loads serve four products.
inline constexpr int64_t kAmxRows = 32, kAmxPanel = 32;
// Bytes of one line of 32 rows of A, and of one line of a panel of B: 16 rows of 32 columns of 4 bytes.
inline constexpr int64_t kAmxLineOf32 = 2048;
// Lines that are multiplied in one go, and rows of one gathered block: 768 KB, which with a panel of B (96 KB) stays
// inside the 2 MB second-level cache of the processors that have tiles.
inline constexpr int64_t kAmxBlockLines = 48, kAmxBlockRows = 256;

// Temporary memory of one thread: the gathered block; one output tile of 32 x 32; sums of a block, where k takes more
// than one go.
struct AmxScratch {
  int64_t block_bytes, tile_bytes, sums_bytes;
  int64_t total() const { return block_bytes + tile_bytes + sums_bytes; }
};
inline AmxScratch amx_scratch(const IgemmCall& p) {
  const int64_t rows = std::min(kAmxBlockRows, divide_up(p.rows(), kAmxRows) * kAmxRows);
  return {.block_bytes = rows * std::min(kAmxBlockLines, p.lines()) * kLineBytes,
          .tile_bytes = kAmxRows * kAmxPanel * 4,
          .sums_bytes = p.lines() > kAmxBlockLines ? rows * divide_up(p.out_c, kAmxPanel) * kAmxPanel * 4 : 0};
}

}  // namespace spinert
