// igemm_f32.inl - body of the implicit matrix product over the vector type V of kernels/base/simd.h. Included by one
// file per instruction set, inside an unnamed namespace.
//
// Tile   kTileRows x kTileVectors accumulators stay in registers while k runs; per k: kTileVectors loads of B,
// kTileRows
//        broadcasts of A, kTileRows * kTileVectors fused multiply-adds.
// Order  every output is one chain over k in storage order (tap, channel), the same for every tile, thread and batch.
template <class V, int kTileRows, int kTileVectors>
class IgemmF32 {
  using Reg = typename V::V;
  static constexpr int64_t kPanel = int64_t{kTileVectors} * V::kLanes;
  static constexpr int64_t kTileLine = kTileRows * kF32Line;  // floats of one line of one gathered tile
  // B is read once per tile from the second-level cache; fetching this many rows of k ahead hides its latency.
  static constexpr int64_t kPrefetchRows = 8;
  static constexpr int64_t kSmallB = 256 << 10;

 public:
  static constexpr unsigned kAlsoTakes = 0;

  static const char* rejects(const IgemmCall& p) { return p.groups != 1 ? "groups != 1" : nullptr; }

  static int64_t packed_bytes(const IgemmCall& p) { return igemm_f32_packed(p, kPanel) * int64_t{sizeof(float)}; }

  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    igemm_f32_pack(p, kPanel, static_cast<float*>(packed), pool);
  }

  static void pack_i8(const IgemmCall& p, const StoredI8& weight, void* packed, ThreadPool& pool) {
    igemm_f32_pack_i8(p, weight, kPanel, static_cast<float*>(packed), pool);
  }

  static int64_t scratch_bytes(const IgemmCall&, int threads) {
    return threads * igemm_f32_scratch(kTileRows) * int64_t{sizeof(float)};
  }

  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    const int64_t rows = p.rows();
    const IgemmShares cut = igemm_shares(rows, divide_up(p.out_c, kPanel), kTileRows, pool.size());
    const bool is_long = p.lines() * kF32Line >= kIgemmLong;
    const int64_t largest = is_long ? kIgemmLongRows : kIgemmBlockRows;
    const int64_t step = (is_long ? kIgemmLongK : kIgemmBlockK) / kF32Line;
    pool.run(cut.items(), [&](WorkRange range) {
      float* block = static_cast<float*>(scratch) + range.thread * igemm_f32_scratch(kTileRows);
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
      for (int64_t i = std::min(lines, per_tile); i > 0; --i, --lines, from += kF32Line) {
        __builtin_prefetch(from, 0, 2);
      }
    }
  };

  // Whether tiles read x where it is. Not where the rows of a tile lie a multiple of 4096 bytes apart: they would fall
  // into one set of the first-level cache.
  static bool reads_directly(const IgemmCall& p) {
    return p.rows_are_pixels() && p.in_c <= kIgemmBlockK && p.in_c % 1024 != 0;
  }

  static void run_block(const IgemmCall& p, int64_t first, int64_t count, int64_t next, int64_t step,
                        int64_t panel_begin, int64_t panel_end, float* block) {
    const int64_t lines = p.lines(), tiles = (count + kTileRows - 1) / kTileRows;
    const int64_t direct = reads_directly(p) ? count / kTileRows * kTileRows : 0;  // rows; a part of a tile is gathered
    // A small B stays in the second-level cache in any order; then whole rows of y are written one after the other.
    const bool rows_outer = lines * kF32Line * p.out_c * int64_t{sizeof(float)} <= kSmallB;
    Fetch fetch;
    if (p.rows_are_pixels() && lines <= step) {
      fetch.from = p.x.f32() + (first + count) * p.in_c;
      fetch.lines = next * p.in_c / kF32Line;
      const int64_t calls = tiles * (panel_end - panel_begin);
      fetch.per_tile = (fetch.lines + calls - 1) / calls;
    }
    for (int64_t q = 0; q < lines; q += step) {
      const int64_t q_end = std::min(lines, q + step);
      gather_lines<kTileRows>(p, first + direct, count - direct, q, q_end, block);
      const auto one = [&](int64_t panel_index, int64_t t) {
        const Part part{q_end - q, panel_index * kPanel, q == 0, q_end == lines};
        const float* b = static_cast<const float*>(p.packed) + (panel_index * lines + q) * kF32Line * kPanel;
        const int64_t rows = std::min<int64_t>(kTileRows, count - t);
        if (t < direct) {
          any_columns<true>(p, p.x.f32() + (first + t) * p.in_c, b, part, first + t, rows);
        } else {
          any_columns<false>(p, block + (t - direct) * part.lines * kF32Line, b, part, first + t, rows);
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

  // What one tile computes: lines of k, the first column. `begins`: start from zero, else from the sums that y holds;
  // `ends`: apply bias, residual and activation, else leave the sums in y.
  struct Part {
    int64_t lines, column;
    bool begins, ends;
  };

  // A panel of which one vector holds all columns that exist takes half the multiplications.
  template <bool kDirect>
  static void any_columns(const IgemmCall& p, const float* a, const float* b, const Part& part, int64_t row,
                          int64_t rows) {
    if (p.out_c - part.column <= V::kLanes) return tile<kDirect, 1>(p, a, b, part, row, rows);
    tile<kDirect, kTileVectors>(p, a, b, part, row, rows);
  }

  // One tile. kDirect: `a` is the first of kTileRows rows of x, else a gathered tile.
  template <bool kDirect, int kVectors>
  static void tile(const IgemmCall& p, const float* a, const float* b, const Part& part, int64_t row, int64_t rows) {
    const bool begins = part.begins, ends = part.ends;
    const int64_t column = part.column, columns = std::min(kPanel, p.out_c - column);
    float* y = p.y.f32() + row * p.out_c + column;
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
    const int64_t stride = kDirect ? p.in_c : kF32Line;
    const float* four[kFours];
#pragma GCC unroll 4
    for (int i = 0; i < kFours; ++i) four[i] = a + 4 * i * stride;
    for (int64_t q = 0; q < part.lines; ++q) {
#pragma GCC unroll 4
      for (int k = 0; k < kF32Line; ++k, b += kPanel) {
        Reg bv[kVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) {
          __builtin_prefetch(b + kPrefetchRows * kPanel + v * V::kLanes);
          bv[v] = V::loadu(b + v * V::kLanes);
        }
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
          const Reg av = V::set1(kDirect ? four[r / 4][r % 4 * stride + k] : a[r * kF32Line + k]);
#pragma GCC unroll 8
          for (int v = 0; v < kVectors; ++v) acc[r][v] = V::madd(av, bv[v], acc[r][v]);
        }
      }
      a += kTileLine;
#pragma GCC unroll 4
      for (int i = 0; i < kFours; ++i) four[i] += kF32Line;
    }
    // Unrolled over rows, not looped: an indexed accumulator would leave the registers.
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      if (r >= rows) continue;
      const float* residual =
          ends && p.residual.present() ? p.residual.f32() + p.residual_row(row + r) * p.out_c + column : nullptr;
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
