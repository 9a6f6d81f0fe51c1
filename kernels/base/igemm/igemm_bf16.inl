// igemm_bf16.inl - body of the implicit matrix product over bf16 for AVX-512 with bf16 products. Included by files of
// that level and above, inside an unnamed namespace. Intrinsics stand here because no other level has these products.
//
// Tile   kTileRows x kTileVectors accumulators stay in registers while k runs; per pair of channels: kTileVectors loads
//        of B, kTileRows broadcasts of a pair of A, kTileRows * kTileVectors products of two pairs.
// Order  every output is one chain over the pairs of k in storage order (tap, channel), the same for every tile, thread
//        and batch; where k comes in blocks the sum waits in scratch memory as it is.
template <int kTileRows, int kTileVectors>
class IgemmBf16 {
  static constexpr int64_t kLanes = 16;
  static constexpr int64_t kPanel = kTileVectors * kLanes;
  static constexpr int64_t kPairs = kBf16Line / 2;
  static constexpr int64_t kTileLine = kTileRows * kBf16Line;  // numbers of one line of one gathered tile
  static constexpr int64_t kTileSums = kTileRows * kPanel;
  static constexpr int64_t kPrefetchPairs = 8;
  using Acc = __m512[kTileRows][kTileVectors];

 public:
  static constexpr unsigned kAlsoTakes = kTakesBf16;

  static const char* rejects(const IgemmCall& p) { return igemm_bf16_rejects(p); }

  static int64_t packed_bytes(const IgemmCall& p) { return igemm_bf16_packed_bytes(p, kPanel); }

  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    igemm_bf16_pack(p, kPanel, static_cast<bf16*>(packed), pool);
  }

  static int64_t scratch_bytes(const IgemmCall& p, int threads) { return threads * thread_scratch(p).bytes(); }

  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    const int64_t rows = p.rows(), panels = divide_up(p.out_c, kPanel);
    const IgemmBf16Cut cut = igemm_bf16_cut(rows, p.lines(), panels, kTileRows, pool.size());
    const IgemmBf16Scratch sizes = thread_scratch(p);
    pool.run(cut.items.items(), [&](WorkRange range) {
      unsigned char* own = static_cast<unsigned char*>(scratch) + range.thread * sizes.bytes();
      auto* block = reinterpret_cast<bf16*>(own);
      auto* sums = reinterpret_cast<float*>(own + sizes.gathered);
      for (int64_t item = range.begin; item < range.end; ++item) {
        const int64_t groups = cut.items.panel_groups, group = item % groups;
        const int64_t first = item / groups * cut.items.block_rows;
        const int64_t count = std::min(cut.items.block_rows, rows - first);
        run_block(p, first, count, panels * group / groups, panels * (group + 1) / groups, cut.block_lines, block,
                  sums);
      }
    });
  }

 private:
  // Grows with the rows, so that a call with fewer rows than the capacity stays inside.
  static IgemmBf16Scratch thread_scratch(const IgemmCall& p) {
    return igemm_bf16_scratch(p.rows(), p.lines(), p.out_c, kPanel, kTileRows);
  }

  static void run_block(const IgemmCall& p, int64_t first, int64_t count, int64_t panel_begin, int64_t panel_end,
                        int64_t step, bf16* block, float* sums) {
    const int64_t lines = p.lines(), tiles = (count + kTileRows - 1) / kTileRows;
    for (int64_t q = 0; q < lines; q += step) {
      const int64_t q_end = std::min(lines, q + step);
      gather_lines<kTileRows>(p, first, count, q, q_end, block);
      for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
        const bf16* b = static_cast<const bf16*>(p.packed) + (panel * lines + q) * kBf16Line * kPanel;
        float* waiting = sums + (panel - panel_begin) * tiles * kTileSums;
        for (int64_t t = 0; t < tiles; ++t, waiting += kTileSums) {
          const bf16* a = block + t * (q_end - q) * kTileLine;
          Acc acc;
          if (q == 0) {
            clear(acc);
          } else {
            load(waiting, acc);
          }
          multiply(a, b, q_end - q, acc);
          if (q_end < lines) {
            store(acc, waiting);
            continue;
          }
          const int64_t row = first + t * kTileRows, rows = std::min<int64_t>(kTileRows, first + count - row);
          if (p.y.dtype == DType::f32) {
            finish<float>(p, acc, row, rows, panel * kPanel);
          } else {
            finish<bf16>(p, acc, row, rows, panel * kPanel);
          }
        }
      }
    }
  }

  // All loops over accumulators are unrolled: an indexed one would leave the registers.
  __attribute__((always_inline)) static inline void clear(Acc& acc) {
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) acc[r][v] = _mm512_setzero_ps();
    }
  }
  __attribute__((always_inline)) static inline void load(const float* from, Acc& acc) {
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) acc[r][v] = _mm512_loadu_ps(from + r * kPanel + v * kLanes);
    }
  }
  __attribute__((always_inline)) static inline void store(const Acc& acc, float* to) {
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) _mm512_storeu_ps(to + r * kPanel + v * kLanes, acc[r][v]);
    }
  }

  __attribute__((always_inline)) static inline void multiply(const bf16* a, const bf16* b, int64_t lines, Acc& acc) {
    for (int64_t q = 0; q < lines; ++q, a += kTileLine) {
#pragma GCC unroll 4
      for (int k = 0; k < kPairs; ++k, b += 2 * kPanel) {
        __m512bh bv[kTileVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kTileVectors; ++v) {
          __builtin_prefetch(b + kPrefetchPairs * 2 * kPanel + v * 2 * kLanes);
          bv[v] = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + v * 2 * kLanes));
        }
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
          int32_t pair;
          std::memcpy(&pair, a + r * kBf16Line + 2 * k, sizeof(pair));
          const auto av = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
#pragma GCC unroll 8
          for (int v = 0; v < kTileVectors; ++v) acc[r][v] = _mm512_dpbf16_ps(acc[r][v], av, bv[v]);
        }
      }
    }
  }

  // Bias, residual and activation, then to y.
  template <class Y>
  __attribute__((always_inline)) static inline void finish(const IgemmCall& p, const Acc& acc, int64_t row,
                                                           int64_t rows, int64_t column) {
    Y* y = p.y.as<Y>() + row * p.out_c + column;
    __mmask16 used[kTileVectors];
    __m512 bias[kTileVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kTileVectors; ++v) {
      const int64_t left = std::clamp<int64_t>(p.out_c - column - v * kLanes, 0, kLanes);
      used[v] = static_cast<__mmask16>((1u << left) - 1u);
      bias[v] = p.bias ? _mm512_maskz_loadu_ps(used[v], p.bias + column + v * kLanes) : _mm512_setzero_ps();
    }
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
      if (r >= rows) continue;
      const bf16* residual =
          p.residual.present() ? p.residual.as<bf16>() + p.residual_row(row + r) * p.out_c + column : nullptr;
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) {
        __m512 sum = _mm512_add_ps(acc[r][v], bias[v]);
        if (residual) {
          const __m256i half = _mm256_maskz_loadu_epi16(used[v], residual + v * kLanes);
          sum = _mm512_add_ps(sum, SimdAvx512::from_bf16(half));
        }
        sum = activate_vector<SimdAvx512>(p.activation, sum);
        put(y + r * p.out_c + v * kLanes, used[v], sum);
      }
    }
  }

  static void put(float* to, __mmask16 used, __m512 value) {
    _mm512_mask_storeu_ps(to, used, value);
  }
  static void put(bf16* to, __mmask16 used, __m512 value) {
    _mm256_mask_storeu_epi16(to, used, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
};
