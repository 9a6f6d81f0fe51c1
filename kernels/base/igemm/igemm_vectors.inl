// igemm_vectors.inl - body of the implicit matrix product over vectors, for every type of x. Included inside an unnamed
// namespace by the files that instantiate a kind of arithmetic.
//
// Unit   4 bytes of a row of A: one f32, two bf16 or four u8. A line has 16 of them, and one step of k takes one: it is
//        broadcast, and meets 4 bytes of every output channel in a panel of B, [line][unit][output channel][4 bytes].
// Tile   kTileRows x kTileVectors accumulators stay in registers while k runs; per step: kTileVectors loads of B,
//        kTileRows broadcasts of A, kTileRows * kTileVectors products.
// Order  every output is one chain over k in storage order (tap, channel), the same for every tile, thread and batch;
//        where k comes in blocks the sum waits in scratch memory as it is.
//
// Kind, one call's arithmetic: kLanes; Acc, A, B, the registers; broadcast(4 bytes), load(B), dot(Acc, A, B), keep(to,
// Acc), kept(from); start(column), where a sum begins; finish<kWhole>(Acc, column, residual, y, left), which applies
// the epilogue to a vector of sums from `column` on and stores it: `residual` and `y` are offsets in elements, `left`
// the columns that exist from here on, at least kLanes if kWhole.
#pragma once

#include "kernels/base/igemm/gather_lines.inl"

template <class Kind, int kTileRows, int kTileVectors>
class IgemmVectors {
  using Acc = typename Kind::Acc;
  static constexpr int64_t kLanes = Kind::kLanes, kPanel = kTileVectors * kLanes;
  static constexpr int64_t kUnit = 4, kUnits = kLineBytes / kUnit;
  static constexpr int64_t kTileLine = kTileRows * kLineBytes;  // bytes from one line of a gathered tile to the next
  static constexpr int64_t kStep = kPanel * kUnit;              // bytes of B of one step
  static constexpr int64_t kTileSums = kTileRows * kStep;
  // B is read once per tile from the second-level cache; fetching this far ahead hides its latency.
  static constexpr int64_t kPrefetch = 8 * kStep;
  static constexpr int64_t kSmallB = 256 << 10;

 public:
  static int64_t scratch_bytes(const IgemmCall& p, int threads) {
    return threads * igemm_scratch(p, kTileRows, kPanel).bytes();
  }

  static void run(const IgemmCall& p, const Kind& kind, void* scratch, ThreadPool& pool) {
    const int64_t rows = p.rows();
    const IgemmShares cut = igemm_shares(rows, divide_up(p.out_c, kPanel), kTileRows, pool.size());
    const IgemmBlocking most = igemm_blocking(p.x.dtype, p.lines(), kTileRows);
    const IgemmScratch sizes = igemm_scratch(p, kTileRows, kPanel);
    pool.run(cut.items(), [&](WorkRange range) {
      auto* own = static_cast<unsigned char*>(scratch) + range.thread * sizes.bytes();
      for (int64_t item = range.begin; item < range.end;) {
        const IgemmBlock b = cut.block(item, range.end, most.tiles);
        item += b.tiles;
        const int64_t first = b.tile * kTileRows, count = std::min(b.tiles * kTileRows, rows - first);
        const int64_t next = item < range.end ? std::min(count, rows - first - count) : 0;
        const Block block{first, count, next, most.lines, cut.panel_begin(b.group), cut.panel_begin(b.group + 1)};
        run_block(p, kind, block, own, own + sizes.gathered);
      }
    });
  }

 private:
  // Rows [first, first + count), followed by `next` rows of the next block; `step` lines of k in one go.
  struct Block {
    int64_t first, count, next, step, panel_begin, panel_end;
  };

  // Lines of x that the next block reads, brought nearer a few with every tile of this block.
  struct Fetch {
    const unsigned char* from = nullptr;
    int64_t lines = 0, per_tile = 0;
    void step() {
      for (int64_t i = std::min(lines, per_tile); i > 0; --i, --lines, from += kLineBytes) {
        __builtin_prefetch(from, 0, 2);
      }
    }
  };

  // Whether tiles read x where it is. Not where the rows of a tile lie a multiple of 4096 bytes apart: they would fall
  // into one set of the first-level cache.
  static bool reads_directly(const IgemmCall& p, const Block& block) {
    return p.rows_are_pixels() && p.lines() <= block.step && p.pixel_bytes() % 4096 != 0;
  }

  static void run_block(const IgemmCall& p, const Kind& kind, const Block& block, unsigned char* gathered,
                        unsigned char* sums) {
    const int64_t lines = p.lines(), count = block.count, tiles = divide_up(count, kTileRows);
    const auto* x = p.x.as<const unsigned char>();
    // Rows that are read where they are; a part of a tile is gathered.
    const int64_t direct = reads_directly(p, block) ? count / kTileRows * kTileRows : 0;
    Fetch fetch;
    if (p.rows_are_pixels() && lines <= block.step) {
      fetch.from = x + (block.first + count) * p.pixel_bytes();
      fetch.lines = block.next * p.pixel_bytes() / kLineBytes;
      fetch.per_tile = divide_up(fetch.lines, tiles * (block.panel_end - block.panel_begin));
    }
    for (int64_t q = 0; q < lines; q += block.step) {
      const int64_t q_end = std::min(lines, q + block.step);
      gather_lines<kTileRows>(p, block.first + direct, count - direct, q, q_end, gathered);
      const auto one = [&](int64_t panel, int64_t t) {
        const auto* b = static_cast<const unsigned char*>(p.packed) + (panel * lines + q) * kUnits * kStep;
        unsigned char* waiting = sums + ((panel - block.panel_begin) * tiles + t / kTileRows) * kTileSums;
        const Part part{q_end - q, panel * kPanel, block.first + t, std::min<int64_t>(kTileRows, count - t),
                        q == 0,    q_end == lines, waiting};
        if (t < direct) {
          any_columns<true>(p, kind, x + (block.first + t) * p.pixel_bytes(), b, part);
        } else {
          any_columns<false>(p, kind, gathered + (t - direct) * part.lines * kLineBytes, b, part);
        }
        fetch.step();
      };
      // Tile after tile within a group of panels whose B stays in the second-level cache, so that longer pieces of the
      // rows of y are written one after the other.
      const int64_t group = std::max<int64_t>(1, kSmallB / ((q_end - q) * kUnits * kStep));
      for (int64_t begin = block.panel_begin; begin < block.panel_end; begin += group) {
        const int64_t end = std::min(begin + group, block.panel_end);
        for (int64_t t = 0; t < count; t += kTileRows) {
          for (int64_t panel = begin; panel < end; ++panel) one(panel, t);
        }
      }
    }
  }

  // What one tile computes: lines of k, the first column and row, the rows that exist. `begins`: from the start, else
  // from the sums that wait; `ends`: to y, else back to them.
  struct Part {
    int64_t lines, column, row, rows;
    bool begins, ends;
    unsigned char* waiting;
  };

  // A panel of which one vector holds all columns that exist takes half the products.
  template <bool kDirect>
  static void any_columns(const IgemmCall& p, const Kind& kind, const unsigned char* a, const unsigned char* b,
                          const Part& part) {
    const int64_t columns = p.out_c - part.column;
    if (columns >= kPanel) return tile<kDirect, kTileVectors, true>(p, kind, a, b, part);
    if (columns <= kLanes) return tile<kDirect, 1, false>(p, kind, a, b, part);
    tile<kDirect, kTileVectors, false>(p, kind, a, b, part);
  }

  // One tile. kDirect: `a` is the first of kTileRows pixels of x, else a gathered tile. All loops over accumulators are
  // unrolled: an indexed one would leave the registers.
  template <bool kDirect, int kVectors, bool kWhole>
  static __attribute__((noinline)) void tile(const IgemmCall& p, const Kind& kind, const unsigned char* a,
                                             const unsigned char* b, const Part& part) {
    Acc acc[kTileRows][kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Acc start = kind.start(part.column + v * kLanes);
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r) {
        acc[r][v] = part.begins ? start : Kind::kept(part.waiting + r * kStep + v * kLanes * kUnit);
      }
    }
    // Rows in fours from one pointer each: a step of 1, 2 or 3 strides is part of an address, more would not fit the
    // general registers.
    constexpr int kFours = (kTileRows + 3) / 4;
    const int64_t stride = kDirect ? p.pixel_bytes() : kLineBytes;
    const unsigned char* four[kFours];
#pragma GCC unroll 4
    for (int i = 0; i < kFours; ++i) four[i] = a + 4 * i * stride;
    for (int64_t q = 0; q < part.lines; ++q) {
#pragma GCC unroll 4
      for (int u = 0; u < kUnits; ++u, b += kStep) {
        typename Kind::B bv[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          __builtin_prefetch(b + kPrefetch + v * kLanes * kUnit);
          bv[v] = Kind::load(b + v * kLanes * kUnit);
        }
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
          const unsigned char* unit = kDirect ? four[r / 4] + r % 4 * stride : a + r * kLineBytes;
          const typename Kind::A av = Kind::broadcast(unit + u * kUnit);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) acc[r][v] = Kind::dot(acc[r][v], av, bv[v]);
        }
      }
      a += kTileLine;
#pragma GCC unroll 4
      for (int i = 0; i < kFours; ++i) four[i] += kLineBytes;
    }
    if (!part.ends) {
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) Kind::keep(part.waiting + r * kStep + v * kLanes * kUnit, acc[r][v]);
      }
      return;
    }
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      if (r >= part.rows) continue;
      const int64_t residual = p.residual.present() ? p.residual_row(part.row + r) * p.out_c + part.column : 0;
      const int64_t y = (part.row + r) * p.out_c + part.column, left = p.out_c - part.column;
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        const int64_t at = v * kLanes;
        kind.template finish<kWhole>(acc[r][v], part.column + at, residual + at, y + at, left - at);
      }
    }
  }
};
