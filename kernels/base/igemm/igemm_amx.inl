// igemm_amx.inl - body of the implicit matrix product in tiles. T: the tile instructions (AmxTiles, or their model in a
// test). Kind: the arithmetic of one call, as igemm_vectors.inl describes it; of it are used kX (the type of the
// operands), Acc, kLanes, start, keep, kept and finish. Included inside an unnamed namespace by one file per level, and
// by a test.
//
// Tiles  0 to 3 are the sums of 32 rows x 32 columns, 4 and 5 rows of A, 6 and 7 columns of B. Per line of k: four
//        loads, four products.
// State  a thread configures its tiles at the start of its share and releases them at its end; nothing stays.
// Order  every output is one sum over lines in storage order (tap, channel); where it is cut between goes, the sums
//        are stored and loaded whole, so no cut changes a result.
#pragma once

#include "kernels/base/igemm/gather_lines.inl"

template <class T, class Kind>
class IgemmAmx {
  using Acc = typename Kind::Acc;
  static constexpr TileConfig kTiles = full_tiles();
  static constexpr int64_t kLanes = Kind::kLanes, kSumStride = kAmxPanel * 4;

 public:
  static int64_t scratch_bytes(const IgemmCall& p, int threads) { return threads * amx_scratch(p).total(); }

  static void run(const IgemmCall& p, const Kind& kind, void* scratch, ThreadPool& pool) {
    const IgemmShares cut = igemm_shares(p.rows(), divide_up(p.out_c, kAmxPanel), kAmxRows, pool.size());
    const AmxScratch sizes = amx_scratch(p);
    pool.run(cut.items(), [&](WorkRange range) {
      auto* own = static_cast<unsigned char*>(scratch) + range.thread * sizes.total();
      T::configure(kTiles);
      for (int64_t item = range.begin; item < range.end;) {
        const IgemmBlock b = cut.block(item, range.end, kAmxBlockRows / kAmxRows);
        item += b.tiles;
        const int64_t first = b.tile * kAmxRows, count = std::min(b.tiles * kAmxRows, p.rows() - first);
        const Block block{first,
                          count,
                          cut.panel_begin(b.group),
                          cut.panel_begin(b.group + 1),
                          own,
                          own + sizes.block_bytes,
                          own + sizes.block_bytes + sizes.tile_bytes};
        run_block(p, kind, block);
      }
      T::release();
    });
  }

 private:
  // Rows [first, first + count) of some panels, and the memory of the thread: gathered rows; one tile of sums; the sums
  // that wait for the next lines.
  struct Block {
    int64_t first, count, panel_begin, panel_end;
    unsigned char *gathered, *tile, *waiting;
  };
  // Where a tile reads its rows: row r of line q at base + q * step + r * stride.
  struct Rows {
    const unsigned char* base;
    int64_t step, stride;
  };

  static void run_block(const IgemmCall& p, const Kind& kind, const Block& block) {
    const int64_t lines = p.lines(), count = block.count;
    const int64_t sum_stride = (block.panel_end - block.panel_begin) * kSumStride;
    // Rows that a tile load may take from x itself: whole tiles, since it always reads 32 rows.
    const int64_t in_place = p.rows_are_pixels() ? count / kAmxRows * kAmxRows : 0;
    for (int64_t q = 0; q < lines; q += kAmxBlockLines) {
      const int64_t go = std::min(kAmxBlockLines, lines - q);
      gather_lines<kAmxRows>(p, block.first + in_place, count - in_place, q, q + go, block.gathered);
      for (int64_t panel = block.panel_begin; panel < block.panel_end; ++panel) {
        const auto* b = static_cast<const unsigned char*>(p.packed) + (panel * lines + q) * kAmxLineOf32;
        alignas(64) unsigned char start[kSumStride];
        for (int64_t n = 0; n < kAmxPanel; n += kLanes) Kind::keep(start + n * 4, kind.start(panel * kAmxPanel + n));
        for (int64_t t = 0; t < count; t += kAmxRows) {
          const Rows a =
              t < in_place ? Rows{p.x.as<const unsigned char>() + (block.first + t) * p.pixel_bytes() + q * kLineBytes,
                                  kLineBytes, p.pixel_bytes()}
                           : Rows{block.gathered + (t - in_place) * go * kLineBytes, kAmxLineOf32, kLineBytes};
          unsigned char* waiting = block.waiting + t * sum_stride + (panel - block.panel_begin) * kSumStride;
          if (q == 0) {
            load_sums(start, 0);
          } else {
            load_sums(waiting, sum_stride);
          }
          multiply(a, b, go);
          if (q + go < lines) {
            store_sums(waiting, sum_stride);
          } else {
            store_sums(block.tile, kSumStride);
            finish(p, kind, block.tile, block.first + t, std::min(kAmxRows, count - t), panel * kAmxPanel);
          }
        }
      }
    }
  }

  // stride 0: every row starts with the same sums.
  static void load_sums(const unsigned char* sums, int64_t stride) {
    T::template load<0>(sums, stride);
    T::template load<1>(sums + kTileRowBytes, stride);
    T::template load<2>(sums + kTileRows * stride, stride);
    T::template load<3>(sums + kTileRows * stride + kTileRowBytes, stride);
  }
  static void store_sums(unsigned char* sums, int64_t stride) {
    T::template store<0>(sums, stride);
    T::template store<1>(sums + kTileRowBytes, stride);
    T::template store<2>(sums + kTileRows * stride, stride);
    T::template store<3>(sums + kTileRows * stride + kTileRowBytes, stride);
  }

  template <int c, int a, int b>
  static void dot() {
    if constexpr (Kind::kX == DType::u8) {
      T::template dot_u8s8<c, a, b>();
    } else {
      T::template dot_bf16<c, a, b>();
    }
  }

  static void multiply(const Rows& a, const unsigned char* b, int64_t lines) {
    const unsigned char *upper = a.base, *lower = a.base + kTileRows * a.stride;
    for (int64_t q = 0; q < lines; ++q, upper += a.step, lower += a.step, b += kAmxLineOf32) {
      T::template load<4>(upper, a.stride);
      T::template load<6>(b, kSumStride);
      dot<0, 4, 6>();
      T::template load<7>(b + kTileRowBytes, kSumStride);
      dot<1, 4, 7>();
      T::template load<5>(lower, a.stride);
      dot<2, 5, 6>();
      dot<3, 5, 7>();
    }
  }

  static void finish(const IgemmCall& p, const Kind& kind, const unsigned char* tile, int64_t row, int64_t rows,
                     int64_t column) {
    if (p.out_c - column >= kAmxPanel) return finish_rows<true>(p, kind, tile, row, rows, column);
    finish_rows<false>(p, kind, tile, row, rows, column);
  }
  template <bool kWhole>
  static void finish_rows(const IgemmCall& p, const Kind& kind, const unsigned char* tile, int64_t row, int64_t rows,
                          int64_t column) {
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t residual = p.residual.present() ? p.residual_row(row + r) * p.out_c + column : 0;
      const int64_t y = (row + r) * p.out_c + column, left = p.out_c - column;
      for (int64_t n = 0; n < kAmxPanel; n += kLanes) {
        kind.template finish<kWhole>(Kind::kept(tile + r * kSumStride + n * 4), column + n, residual + n, y + n,
                                     left - n);
      }
    }
  }
};
