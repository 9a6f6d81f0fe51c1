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

 public:
  static constexpr int64_t panel() { return kPanel; }
  static constexpr int64_t tile_rows() { return kTileRows; }

  static void run(const IgemmProblem& p, void* scratch, ThreadPool& pool) {
    const int64_t rows = p.rows(), panels = (p.out_c + kPanel - 1) / kPanel;
    if (rows == 0 || p.out_c == 0) return;
    const IgemmCut cut = igemm_cut(rows, panels, kTileRows, pool.size());
    const bool is_long = p.chunks() * kIgemmChunk > kIgemmBlockK;
    const int64_t largest = is_long ? kIgemmLongRows : kIgemmBlockRows;
    const int64_t step = (is_long ? kIgemmLongK : kIgemmBlockK) / kIgemmChunk;
    pool.run(cut.items(), [&](WorkRange range) {
      float* block = static_cast<float*>(scratch) + range.thread * igemm_scratch_floats(kTileRows);
      for (int64_t item = range.begin; item < range.end;) {
        const IgemmBlock b = cut.block(item, range.end, largest / kTileRows);
        item += b.tiles;
        const int64_t first = b.tile * kTileRows, count = std::min(b.tiles * kTileRows, rows - first);
        run_block(p, first, count, step, cut.panel_begin(b.group), cut.panel_begin(b.group + 1), block);
      }
    });
  }

 private:
  static void run_block(const IgemmProblem& p, int64_t first, int64_t count, int64_t step, int64_t panel_begin,
                        int64_t panel_end, float* block) {
    const int64_t chunks = p.chunks();
    for (int64_t q = 0; q < chunks; q += step) {
      const int64_t q_end = std::min(chunks, q + step);
      gather(p, first, count, q, q_end, block);
      for (int64_t panel_index = panel_begin; panel_index < panel_end; ++panel_index) {
        const float* b = p.packed + (panel_index * chunks + q) * kIgemmChunk * kPanel;
        for (int64_t t = 0; t < count; t += kTileRows) {
          const float* a = block + t * (q_end - q) * kIgemmChunk;
          tile(p, a, b, q_end - q, first + t, std::min<int64_t>(kTileRows, count - t), panel_index * kPanel, q == 0,
               q_end == chunks);
        }
      }
    }
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

  // One tile over `chunks` chunks of k. `begins`: start from zero, else from the sums that y holds; `ends`: apply bias,
  // residual and activation, else leave the sums in y.
  static void tile(const IgemmProblem& p, const float* a, const float* b, int64_t chunks, int64_t row, int64_t rows,
                   int64_t column, bool begins, bool ends) {
    const int64_t columns = std::min(kPanel, p.out_c - column);
    float* y = p.y + row * p.out_c + column;
    Reg acc[kTileRows][kTileVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) {
        acc[r][v] = begins || r >= rows ? V::zero() : load_columns(y + r * p.out_c, v, columns);
      }
    }
    for (int64_t q = 0; q < chunks; ++q, a += kTileChunk) {
#pragma GCC unroll 4
      for (int k = 0; k < kIgemmChunk; ++k, b += kPanel) {
        Reg bv[kTileVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kTileVectors; ++v) {
          __builtin_prefetch(b + kPrefetchRows * kPanel + v * V::kLanes);
          bv[v] = V::loadu(b + v * V::kLanes);
        }
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
          const Reg av = V::set1(a[r * kIgemmChunk + k]);
#pragma GCC unroll 8
          for (int v = 0; v < kTileVectors; ++v) acc[r][v] = V::madd(av, bv[v], acc[r][v]);
        }
      }
    }
    // Unrolled over rows, not looped: an indexed accumulator would leave the registers.
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      if (r >= rows) continue;
      const float* residual = ends && p.residual ? residual_row(p, row + r) + column : nullptr;
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) {
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

  static const float* residual_row(const IgemmProblem& p, int64_t m) {
    if (p.residual_upsample == 1) return p.residual + m * p.out_c;
    const int64_t x = m % p.out_w / p.residual_upsample, y = m / p.out_w % p.out_h / p.residual_upsample;
    return p.residual + ((m / (p.out_w * p.out_h) * p.residual_h + y) * p.residual_w + x) * p.out_c;
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
