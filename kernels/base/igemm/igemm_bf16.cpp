#include "kernels/base/igemm/igemm_bf16.h"

#include <algorithm>

namespace spinert {
namespace {

// A k up to this long is multiplied in one go, a longer one in blocks of kSplitLines: then a panel of the weight (32
// KB) stays in the first-level cache while the rows pass.
constexpr int64_t kWholeLines = 2304 / kBf16Line, kSplitLines = 512 / kBf16Line;
// Gathered rows of one thread: half of a second-level cache of 1 MB.
constexpr int64_t kGatheredBytes = 512 * 1024;

int64_t block_lines(int64_t lines) {
  return lines <= kWholeLines ? lines : kSplitLines;
}

// Rows of the largest block: whole tiles.
int64_t largest_block(int64_t lines, int64_t tile_rows) {
  return std::max<int64_t>(1, kGatheredBytes / (block_lines(lines) * kLineBytes) / tile_rows) * tile_rows;
}

}  // namespace

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

IgemmBf16Cut igemm_bf16_cut(int64_t rows, int64_t lines, int64_t panels, int64_t tile_rows, int threads) {
  return {igemm_cut(rows, panels, tile_rows, threads, largest_block(lines, tile_rows)), block_lines(lines)};
}

IgemmBf16Scratch igemm_bf16_scratch(int64_t rows, int64_t lines, int64_t out_c, int64_t panel, int64_t tile_rows) {
  const int64_t padded = divide_up(rows, tile_rows) * tile_rows;
  const int64_t block = std::min(padded, largest_block(lines, tile_rows));
  const bool split = block_lines(lines) < lines;
  return {block * block_lines(lines) * kLineBytes,
          split ? block * divide_up(out_c, panel) * panel * int64_t{sizeof(float)} : 0};
}

}  // namespace spinert
