#include "kernels/base/igemm_bf16.h"

#include <algorithm>

namespace spinert {
namespace {

// A k up to this long is multiplied in one go, a longer one in blocks of kSplitChunks: then a panel of the weight (32
// KB) stays in the first-level cache while the rows pass.
constexpr int64_t kWholeChunks = 2304 / kIgemmBf16Chunk, kSplitChunks = 512 / kIgemmBf16Chunk;
// Gathered rows of one thread: half of a second-level cache of 1 MB.
constexpr int64_t kGatheredBytes = 512 * 1024;
constexpr int64_t kChunkBytes = kIgemmBf16Chunk * int64_t{sizeof(bf16)};

int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

int64_t block_chunks(int64_t chunks) {
  return chunks <= kWholeChunks ? chunks : kSplitChunks;
}

// Rows of the largest block: whole tiles.
int64_t largest_block(int64_t chunks, int64_t tile_rows) {
  return std::max<int64_t>(1, kGatheredBytes / (block_chunks(chunks) * kChunkBytes) / tile_rows) * tile_rows;
}

}  // namespace

int64_t igemm_bf16_packed_bytes(int64_t taps, int64_t in_c, int64_t out_c, int64_t panel) {
  return divide_up(out_c, panel) * panel * taps * divide_up(in_c, kIgemmBf16Chunk) * kChunkBytes;
}

void igemm_bf16_pack(const float* weight, int64_t taps, int64_t in_c, int64_t out_c, int64_t panel, bf16* packed,
                     ThreadPool& pool) {
  const int64_t padded_c = divide_up(in_c, kIgemmBf16Chunk) * kIgemmBf16Chunk, panels = divide_up(out_c, panel);
  // An item is one tap of one panel, so that even a weight with a single panel is packed by all threads.
  pool.run(panels * taps, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t p = item / taps, tap = item % taps, o = p * panel, used = std::min(panel, out_c - o);
      bf16* to = packed + item * padded_c * panel;
      const float* from = weight + tap * in_c * out_c + o;
      for (int64_t c = 0; c < padded_c; ++c) {
        bf16* row = to + c / 2 * 2 * panel + c % 2;
        const int64_t there = c < in_c ? used : 0;
        for (int64_t i = 0; i < there; ++i) row[2 * i].bits = f32_to_bf16(from[c * out_c + i]);
        for (int64_t i = there; i < panel; ++i) row[2 * i].bits = 0;
      }
    }
  });
}

IgemmBf16Cut igemm_bf16_cut(int64_t rows, int64_t chunks, int64_t panels, int64_t tile_rows, int threads) {
  return {igemm_cut(rows, panels, tile_rows, threads, largest_block(chunks, tile_rows)), block_chunks(chunks)};
}

IgemmBf16Scratch igemm_bf16_scratch(int64_t rows, int64_t chunks, int64_t out_c, int64_t panel, int64_t tile_rows) {
  const int64_t padded = divide_up(rows, tile_rows) * tile_rows;
  const int64_t block = std::min(padded, largest_block(chunks, tile_rows));
  const bool split = block_chunks(chunks) < chunks;
  return {block * block_chunks(chunks) * kChunkBytes,
          split ? block * divide_up(out_c, panel) * panel * int64_t{sizeof(float)} : 0};
}

}  // namespace spinert
