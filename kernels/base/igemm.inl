// igemm.inl - body of the implicit matrix product over the vector type V of kernels/base/simd.h. Included by one file
// per instruction set, inside an unnamed namespace.
//
// Tile   kTileRows x kTileVectors accumulators stay in registers while k runs; per k: kTileVectors loads of B,
// kTileRows
//        broadcasts of A, kTileRows * kTileVectors fused multiply-adds.
// Order  every output is one chain over k in storage order (tap, channel), the same for every tile, thread and batch.
template <class V, int kTileRows, int kTileVectors>
class Igemm {
  using Reg = typename V::V;
  static constexpr int64_t kPanel = int64_t{kTileVectors} * V::kLanes;
  static constexpr int64_t kTileChunk = kTileRows * kIgemmChunk;  // floats of one chunk of one gathered tile
  // B is read once per tile from the second-level cache; fetching this many rows of k ahead hides its latency.
  static constexpr int64_t kPrefetchRows = 8;
  static constexpr int64_t kSmallB = 256 << 10;

 public:
  static constexpr int64_t panel() { return kPanel; }
  static constexpr int64_t tile_rows() { return kTileRows; }

  static void run(const IgemmProblem& p, void* scratch, ThreadPool& pool) {
    const int64_t rows = p.rows(), panels = (p.out_c + kPanel - 1) / kPanel;
    if (rows == 0 || p.out_c == 0) return;
    const IgemmShares cut = igemm_shares(rows, panels, kTileRows, pool.size());
    const bool is_long = p.chunks() * kIgemmChunk >= kIgemmLong;
    const int64_t largest = is_long ? kIgemmLongRows : kIgemmBlockRows;
    const int64_t step = (is_long ? kIgemmLongK : kIgemmBlockK) / kIgemmChunk;
    pool.run(cut.items(), [&](WorkRange range) {
      float* block = static_cast<float*>(scratch) + range.thread * igemm_scratch_floats(kTileRows);
      for (int64_t item = range.begin; item < range.end;) {
        const IgemmBlock b = cut.block(item, range.end, largest / kTileRows);
        item += b.tiles;
        const int64_t first = b.tile * kTileRows, count = std::min(b.tiles * kTileRows, rows - first);
        const int64_t next = item < range.end ? std::min(count, rows - first - count) : 0;
        run_block(p, first, count, next, step, cut.panel_begin(b.group), cut.panel_begin(b.group + 1), block);
      }
    });
  }

 private:
  // Lines of x that the next block reads, brought nearer a few with every tile of this block.
  struct Fetch {
    const float* from = nullptr;
    int64_t lines = 0, per_tile = 0;
    void step() {
      for (int64_t i = std::min(lines, per_tile); i > 0; --i, --lines, from += kIgemmChunk) {
        __builtin_prefetch(from, 0, 2);
      }
    }
  };

  // Row m of A is row m of x: a 1x1 kernel with stride 1, and linear.
  static bool rows_are_pixels(const IgemmProblem& p) {
    return p.kernel_h == 1 && p.kernel_w == 1 && p.stride == 1 && p.padding == 0 && p.in_c % kIgemmChunk == 0;
  }

  // Whether tiles read x where it is. Not where the rows of a tile lie a multiple of 4096 bytes apart: they would fall
  // into one set of the first-level cache.
  static bool reads_directly(const IgemmProblem& p) {
    return rows_are_pixels(p) && p.in_c <= kIgemmBlockK && p.in_c % 1024 != 0;
  }

  static void run_block(const IgemmProblem& p, int64_t first, int64_t count, int64_t next, int64_t step,
                        int64_t panel_begin, int64_t panel_end, float* block) {
    const int64_t chunks = p.chunks(), tiles = (count + kTileRows - 1) / kTileRows;
    const int64_t direct = reads_directly(p) ? count / kTileRows * kTileRows : 0;  // rows; a part of a tile is gathered
    // A small B stays in the second-level cache in any order; then whole rows of y are written one after the other.
    const bool rows_outer = chunks * kIgemmChunk * p.out_c * int64_t{sizeof(float)} <= kSmallB;
    Fetch fetch;
    if (rows_are_pixels(p) && chunks <= step) {
      fetch.from = p.x + (first + count) * p.in_c;
      fetch.lines = next * p.in_c / kIgemmChunk;
      const int64_t calls = tiles * (panel_end - panel_begin);
      fetch.per_tile = (fetch.lines + calls - 1) / calls;
    }
    for (int64_t q = 0; q < chunks; q += step) {
      const int64_t q_end = std::min(chunks, q + step);
      gather(p, first + direct, count - direct, q, q_end, block);
      const auto one = [&](int64_t panel_index, int64_t t) {
        const Part part{q_end - q, panel_index * kPanel, q == 0, q_end == chunks};
        const float* b = p.packed + (panel_index * chunks + q) * kIgemmChunk * kPanel;
        const int64_t rows = std::min<int64_t>(kTileRows, count - t);
        if (t < direct) {
          any_columns<true>(p, p.x + (first + t) * p.in_c, b, part, first + t, rows);
        } else {
          any_columns<false>(p, block + (t - direct) * part.chunks * kIgemmChunk, b, part, first + t, rows);
        }
        fetch.step();
      };
      if (rows_outer) {
        for (int64_t t = 0; t < count; t += kTileRows) {
          for (int64_t panel = panel_begin; panel < panel_end; ++panel) one(panel, t);
        }
      } else {
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          for (int64_t t = 0; t < count; t += kTileRows) one(panel, t);
        }
      }
    }
  }

  // What one tile computes: chunks of k, the first column. `begins`: start from zero, else from the sums that y holds;
  // `ends`: apply bias, residual and activation, else leave the sums in y.
  struct Part {
    int64_t chunks, column;
    bool begins, ends;
  };

  // A panel of which one vector holds all columns that exist takes half the multiplications.
  template <bool kDirect>
  static void any_columns(const IgemmProblem& p, const float* a, const float* b, const Part& part, int64_t row,
                          int64_t rows) {
    if (p.out_c - part.column <= V::kLanes) return tile<kDirect, 1>(p, a, b, part, row, rows);
    tile<kDirect, kTileVectors>(p, a, b, part, row, rows);
  }

  // Copies chunks [q_begin, q_end) of rows [first, first + count) to block, as [tile][chunk][row of tile][16]: the
  // order in which the tile reads them. Taps outside the image and rows beyond count are zero.
  static void gather(const IgemmProblem& p, int64_t first, int64_t count, int64_t q_begin, int64_t q_end,
                     float* block) {
    const int64_t per_tap = p.chunks_per_tap(), padded = (count + kTileRows - 1) / kTileRows * kTileRows;
    for (int64_t r = 0; r < padded; ++r) {
      float* to = block + (r / kTileRows) * kTileRows * (q_end - q_begin) * kIgemmChunk + (r % kTileRows) * kIgemmChunk;
      if (r >= count) {
        for (int64_t q = q_begin; q < q_end; ++q, to += kTileChunk) zero_chunk(to);
        continue;
      }
      const int64_t m = first + r, ox = m % p.out_w, oy = m / p.out_w % p.out_h, n = m / (p.out_w * p.out_h);
      const float* image = p.x + n * p.in_h * p.in_w * p.in_c;
      for (int64_t q = q_begin; q < q_end;) {
        const int64_t tap = q / per_tap, c = q % per_tap, q_stop = std::min(q_end, (tap + 1) * per_tap);
        const int64_t y = oy * p.stride + tap / p.kernel_w * p.dilation - p.padding;
        const int64_t x = ox * p.stride + tap % p.kernel_w * p.dilation - p.padding;
        if (y < 0 || y >= p.in_h || x < 0 || x >= p.in_w) {
          for (; q < q_stop; ++q, to += kTileChunk) zero_chunk(to);
          continue;
        }
        const float* from = image + (y * p.in_w + x) * p.in_c + c * kIgemmChunk;
        int64_t left = p.in_c - c * kIgemmChunk;
        for (; q < q_stop; ++q, to += kTileChunk, from += kIgemmChunk, left -= kIgemmChunk) copy_chunk(to, from, left);
      }
    }
  }

  static void zero_chunk(float* to) {
    for (int64_t i = 0; i < kIgemmChunk; i += V::kLanes) V::storeu(to + i, V::zero());
  }

  static void copy_chunk(float* to, const float* from, int64_t left) {
    if (left >= kIgemmChunk) {
      for (int64_t i = 0; i < kIgemmChunk; i += V::kLanes) V::storeu(to + i, V::loadu(from + i));
    } else {
      for (int64_t i = 0; i < kIgemmChunk; ++i) to[i] = i < left ? from[i] : 0.0f;
    }
  }

  // One tile. kDirect: `a` is the first of kTileRows rows of x, else a gathered tile.
  template <bool kDirect, int kVectors>
  static void tile(const IgemmProblem& p, const float* a, const float* b, const Part& part, int64_t row, int64_t rows) {
    const bool begins = part.begins, ends = part.ends;
    const int64_t column = part.column, columns = std::min(kPanel, p.out_c - column);
    float* y = p.y + row * p.out_c + column;
    Reg acc[kTileRows][kVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        acc[r][v] = begins || r >= rows ? V::zero() : load_columns(y + r * p.out_c, v, columns);
      }
    }
    // Rows in fours from one pointer each: a step of 1, 2 or 3 strides is part of an address, more would not fit the
    // general registers.
    constexpr int kFours = (kTileRows + 3) / 4;
    const int64_t stride = kDirect ? p.in_c : kIgemmChunk;
    const float* four[kFours];
#pragma GCC unroll 4
    for (int i = 0; i < kFours; ++i) four[i] = a + 4 * i * stride;
    for (int64_t q = 0; q < part.chunks; ++q) {
#pragma GCC unroll 4
      for (int k = 0; k < kIgemmChunk; ++k, b += kPanel) {
        Reg bv[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          __builtin_prefetch(b + kPrefetchRows * kPanel + v * V::kLanes);
          bv[v] = V::loadu(b + v * V::kLanes);
        }
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
          const Reg av = V::set1(kDirect ? four[r / 4][r % 4 * stride + k] : a[r * kIgemmChunk + k]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) acc[r][v] = V::madd(av, bv[v], acc[r][v]);
        }
      }
      a += kTileChunk;
#pragma GCC unroll 4
      for (int i = 0; i < kFours; ++i) four[i] += kIgemmChunk;
    }
    // Unrolled over rows, not looped: an indexed accumulator would leave the registers.
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      if (r >= rows) continue;
      const float* residual = ends && p.residual ? p.residual + p.residual_row(row + r) * p.out_c + column : nullptr;
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) {
        Reg sum = acc[r][v];
        if (ends) {
          if (p.bias) sum = V::add(sum, load_columns(p.bias + column, v, columns));
          if (residual) sum = V::add(sum, load_columns(residual, v, columns));
          sum = activate_vector<V>(p.activation, sum);
        }
        store_columns(y + r * p.out_c, v, columns, sum);
      }
    }
  }

  static Reg load_columns(const float* from, int v, int64_t columns) {
    const int64_t left = columns - int64_t{v} * V::kLanes;
    if (left >= V::kLanes) return V::loadu(from + v * V::kLanes);
    return left > 0 ? V::load_n(from + v * V::kLanes, left) : V::zero();
  }

  static void store_columns(float* to, int v, int64_t columns, Reg value) {
    const int64_t left = columns - int64_t{v} * V::kLanes;
    if (left >= V::kLanes) {
      V::storeu(to + v * V::kLanes, value);
    } else if (left > 0) {
      V::store_n(to + v * V::kLanes, value, left);
    }
  }
};
