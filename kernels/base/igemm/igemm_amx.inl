// igemm_amx.inl - body of the implicit matrix product in tiles. T: the tile instructions (AmxTiles, or their model in a
// test); V: vectors of kernels/base/simd.h for the epilogue; Kind: the type of the operands. Included inside an unnamed
// namespace by one file per level, and by tests/test_amx.cpp.
//
// Tiles  0 to 3 are the sums of 32 rows x 32 columns, 4 and 5 rows of A, 6 and 7 columns of B. Per line of k: four
//        loads, four products.
// State  a thread configures its tiles at the start of its share and releases them at its end; nothing stays.
// Order  every output is one sum over lines in storage order (tap, channel); where it is cut between goes, the sums
//        are stored and loaded whole, so no cut changes a result.
#pragma once

#include "kernels/base/activate_vector.inl"
#include "kernels/base/igemm/gather_lines.inl"

// x and weights bf16, sums f32.
template <class T>
struct AmxBf16 {
  static constexpr unsigned kAlsoTakes = kTakesBf16;
  static const char* rejects(const IgemmCall& p) { return igemm_bf16_rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return igemm_bf16_packed_bytes(p, kAmxPanel); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    igemm_bf16_pack(p, kAmxPanel, static_cast<bf16*>(packed), pool);
  }

  template <int c, int a, int b>
  static void dot() {
    T::template dot_bf16<c, a, b>();
  }
  // A vector of sums as numbers; a row of sums is as wide as the panel, whatever the columns.
  template <class V>
  static typename V::V real(const IgemmCall&, const void* sums, int64_t /*column*/) {
    return V::load(static_cast<const float*>(sums));
  }
};

// Codes of u8 and s8, sums i32. Packer::pack(call, packed, pool) writes the packed weight of igemm_u8.h.
template <class T, class Packer>
struct AmxU8 {
  static constexpr unsigned kAlsoTakes = kTakesU8;
  static const char* rejects(const IgemmCall& p) { return igemm_u8_rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return IgemmU8Packed(p).bytes(); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) { Packer::pack(p, packed, pool); }

  template <int c, int a, int b>
  static void dot() {
    T::template dot_u8s8<c, a, b>();
  }
  template <class V>
  static typename V::V real(const IgemmCall& p, const void* sums, int64_t column) {
    const IgemmU8Packed layout(p);
    const auto* packed = static_cast<const unsigned char*>(p.packed);
    const auto* steps = reinterpret_cast<const float*>(packed + layout.steps_at()) + column;
    const auto* code_sums = reinterpret_cast<const int32_t*>(packed + layout.sums_at()) + column;
    const auto* sum = static_cast<const int32_t*>(sums);
    alignas(64) float lanes[V::kLanes];
    for (int64_t i = 0; i < V::kLanes; ++i) {
      const int32_t exact = sum[i] - p.x.quantisation.zero * code_sums[i];
      lanes[i] = static_cast<float>(exact) * (p.x.quantisation.scale * steps[i]);
    }
    return V::load(lanes);
  }
};

template <class T, class V, class Kind>
class IgemmAmx {
  using Reg = typename V::V;
  static constexpr TileConfig kTiles = full_tiles();
  static constexpr int64_t kSumStride = kAmxPanel * 4;

 public:
  static constexpr unsigned kAlsoTakes = Kind::kAlsoTakes;
  static const char* rejects(const IgemmCall& p) { return Kind::rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return Kind::packed_bytes(p); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) { Kind::pack(p, packed, pool); }
  static int64_t scratch_bytes(const IgemmCall& p, int threads) { return threads * amx_scratch(p).total(); }

  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    const int64_t panels = divide_up(p.out_c, kAmxPanel);
    const IgemmShares cut = igemm_shares(p.rows(), panels, kAmxRows, pool.size());
    const AmxScratch sizes = amx_scratch(p);
    pool.run(cut.items(), [&](WorkRange range) {
      unsigned char* memory = static_cast<unsigned char*>(scratch) + range.thread * sizes.total();
      const Scratch own{memory, memory + sizes.block_bytes, memory + sizes.block_bytes + sizes.tile_bytes};
      T::configure(kTiles);
      for (int64_t item = range.begin; item < range.end;) {
        const IgemmBlock b = cut.block(item, range.end, kAmxBlockRows / kAmxRows);
        item += b.tiles;
        const int64_t first = b.tile * kAmxRows, count = std::min(b.tiles * kAmxRows, p.rows() - first);
        run_block(p, first, count, cut.panel_begin(b.group), cut.panel_begin(b.group + 1), own);
      }
      T::release();
    });
  }

 private:
  struct Scratch {
    unsigned char *block, *tile, *sums;
  };
  // Where a tile reads its rows: row r of line q at base + q * step + r * stride.
  struct Rows {
    const unsigned char* base;
    int64_t step, stride;
  };

  static void run_block(const IgemmCall& p, int64_t first, int64_t count, int64_t panel_begin, int64_t panel_end,
                        const Scratch& own) {
    const int64_t lines = p.lines(), packed_columns = divide_up(p.out_c, kAmxPanel) * kAmxPanel;
    // Rows that a tile load may take from x itself: whole tiles, since it always reads 32 rows.
    const int64_t in_place = p.rows_are_pixels() ? count / kAmxRows * kAmxRows : 0;
    for (int64_t q = 0; q < lines; q += kAmxBlockLines) {
      const int64_t go = std::min(kAmxBlockLines, lines - q);
      gather_lines<kAmxRows>(p, first + in_place, count - in_place, q, q + go, own.block);
      for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
        const auto* b = static_cast<const unsigned char*>(p.packed) + (panel * lines + q) * kAmxLineOf32;
        for (int64_t t = 0; t < count; t += kAmxRows) {
          const Rows a = t < in_place
                             ? Rows{p.x.as<const unsigned char>() + (first + t) * p.pixel_bytes() + q * kLineBytes,
                                    kLineBytes, p.pixel_bytes()}
                             : Rows{own.block + (t - in_place) * go * kLineBytes, kAmxLineOf32, kLineBytes};
          unsigned char* sums = own.sums + (t * packed_columns + panel * kAmxPanel) * 4;
          if (q == 0) {
            zero_sums();
          } else {
            load_sums(sums, packed_columns * 4);
          }
          multiply(a, b, go);
          if (q + go < lines) {
            store_sums(sums, packed_columns * 4);
          } else {
            store_sums(own.tile, kSumStride);
            finish(p, own.tile, first + t, std::min(kAmxRows, count - t), panel * kAmxPanel);
          }
        }
      }
    }
  }

  static void zero_sums() {
    T::template zero<0>();
    T::template zero<1>();
    T::template zero<2>();
    T::template zero<3>();
  }
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

  static void multiply(const Rows& a, const unsigned char* b, int64_t lines) {
    const unsigned char *upper = a.base, *lower = a.base + kTileRows * a.stride;
    for (int64_t q = 0; q < lines; ++q, upper += a.step, lower += a.step, b += kAmxLineOf32) {
      T::template load<4>(upper, a.stride);
      T::template load<6>(b, kSumStride);
      Kind::template dot<0, 4, 6>();
      T::template load<7>(b + kTileRowBytes, kSumStride);
      Kind::template dot<1, 4, 7>();
      T::template load<5>(lower, a.stride);
      Kind::template dot<2, 5, 6>();
      Kind::template dot<3, 5, 7>();
    }
  }

  // Bias, residual, activation and the type of y, for `rows` rows of the tile.
  static void finish(const IgemmCall& p, const unsigned char* tile, int64_t row, int64_t rows, int64_t column) {
    const int64_t columns = std::min(kAmxPanel, p.out_c - column);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t y = (row + r) * p.out_c + column;
      const int64_t residual = p.residual.present() ? p.residual_row(row + r) * p.out_c + column : 0;
      for (int64_t n = 0; n < columns; n += V::kLanes) {
        const int64_t left = columns - n;
        Reg sum = Kind::template real<V>(p, tile + r * kSumStride + n * 4, column + n);
        if (p.bias) sum = V::add(sum, load(p.bias + column + n, left));
        if (p.residual.present()) sum = V::add(sum, load(p.residual, residual + n, left));
        store(p.y, y + n, left, activate_vector<V>(p.activation, sum));
      }
    }
  }

  // Up to `left` numbers.
  template <class Number>
  static Reg load(const Number* from, int64_t left) {
    return left >= V::kLanes ? V::loadu(from) : V::load_n(from, left);
  }
  template <class Number>
  static void store(Number* to, int64_t left, Reg value) {
    left >= V::kLanes ? V::storeu(to, value) : V::store_n(to, value, left);
  }
  static Reg load(const Tensor& from, int64_t at, int64_t left) {
    if (from.dtype == DType::bf16) return load(from.as<bf16>() + at, left);
    if (from.dtype == DType::f32) return load(from.f32() + at, left);
    const Reg codes = V::load_u8(from.as<uint8_t>() + at, std::min(left, V::kLanes));
    const Reg zero = V::set1(static_cast<float>(from.quantisation.zero));
    return V::mul(V::set1(from.quantisation.scale), V::sub(codes, zero));
  }
  static void store(const Tensor& to, int64_t at, int64_t left, Reg value) {
    if (to.dtype == DType::bf16) return store(to.as<bf16>() + at, left, value);
    if (to.dtype == DType::f32) return store(to.f32() + at, left, value);
    const Reg steps = V::mul(value, V::set1(1.0f / to.quantisation.scale));
    V::store_u8(to.as<uint8_t>() + at, steps, to.quantisation.zero, std::min(left, V::kLanes));
  }
};
