// igemm_u8.inl - body of the implicit matrix product of u8 codes with vpdpbusd, which simd.h does not know: four
// products of u8 and s8 are added to each i32 of a vector. Included by the files of level avx512_vnni, inside an
// unnamed namespace.
//
// Tile   14 rows x 2 vectors of 16 sums; per 4 k: 2 loads of B, 14 broadcasts of A, 28 vpdpbusd
// Start  sums begin at -zero * (sum of the channel's weight codes), so that A is read as it lies
// End    factor, bias and residual come divided by the output's scale, so that a code is one conversion away

// gcc 12 copies the accumulator around the intrinsic; as an instruction of its own it stays where it is.
inline __attribute__((always_inline)) __m512i add_products(__m512i sum, __m512i codes, __m512i weights) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(weights));
  return sum;
}

class IgemmU8 {
  static constexpr int kRows = 14, kVectors = 2, kLanes = 16;
  static constexpr int64_t kTileLine = kRows * kLineBytes;  // codes of one line of one gathered tile
  static constexpr int64_t kStepBytes = kIgemmU8Panel * 4;  // of B for 4 k
  static constexpr int64_t kPrefetch = 8 * kStepBytes;
  // Codes of the gathered block of one thread: with one panel of B it stays inside a 1 MB second-level cache.
  static constexpr int64_t kBlock = 560 * 1024;
  static constexpr __mmask16 kAll = 0xffff;

 public:
  static constexpr unsigned kAlsoTakes = kTakesU8;

  static const char* rejects(const IgemmCall& p) { return igemm_u8_rejects(p); }

  static int64_t packed_bytes(const IgemmCall& p) { return IgemmU8Packed(p).bytes(); }

  // By panels: each looks at its output channels alone.
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    const IgemmU8Packed layout(p);
    pool.run(layout.panels(), [&](WorkRange range) {
      for (int64_t panel = range.begin; panel < range.end; ++panel) pack_panel(layout, p.weight, panel, packed);
    });
  }

  // The multipliers of one call, then a gathered block per thread.
  static int64_t scratch_bytes(const IgemmCall& p, int threads) {
    const IgemmU8Packed layout(p);
    return multiplier_bytes(layout) + threads * block_rows(layout) * layout.k();
  }

  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    const IgemmU8Packed layout(p);
    const Call call = prepare(p, layout, static_cast<float*>(scratch));
    uint8_t* blocks = static_cast<uint8_t*>(scratch) + multiplier_bytes(layout);
    const int64_t largest = block_rows(layout), panels = layout.panels();
    const IgemmCut cut = igemm_cut(p.rows(), panels, kRows, pool.size(), largest);
    pool.run(cut.items(), [&](WorkRange range) {
      uint8_t* block = blocks + range.thread * largest * layout.k();
      for (int64_t item = range.begin; item < range.end; ++item) {
        const int64_t first = item / cut.panel_groups * cut.block_rows, group = item % cut.panel_groups;
        const int64_t count = std::min(cut.block_rows, p.rows() - first);
        gather_lines<kRows>(p, first, count, 0, p.lines(), block);
        for (int64_t panel = panels * group / cut.panel_groups; panel < panels * (group + 1) / cut.panel_groups;
             ++panel) {
          for (int64_t t = 0; t < count; t += kRows) {
            tile(call, block + t * layout.k(), panel, first + t, std::min<int64_t>(kRows, count - t));
          }
        }
      }
    });
  }

 private:
  // One call with everything per output channel made ready.
  struct Call {
    const IgemmCall& p;
    const uint8_t* codes;
    int64_t k;
    const int32_t* sums;
    const float *factor, *offset;  // [padded out_c], divided by the scale of y if y is u8
    float residual_factor, low, high;
    int32_t zero;  // of y
    bool to_codes, sigmoid;
  };

  static int64_t multiplier_bytes(const IgemmU8Packed& layout) {
    return 2 * layout.padded_out() * int64_t{sizeof(float)};
  }

  static int64_t block_rows(const IgemmU8Packed& layout) {
    return std::clamp<int64_t>(kBlock / layout.k() / kRows, 1, 16) * kRows;
  }

  static Call prepare(const IgemmCall& p, const IgemmU8Packed& layout, float* scratch) {
    const auto* bytes = static_cast<const uint8_t*>(p.packed);
    const auto* steps = reinterpret_cast<const float*>(bytes + layout.steps_at());
    const bool to_codes = p.y.dtype == DType::u8, sigmoid = p.activation == Activation::sigmoid;
    // A sigmoid needs the number itself.
    const float inverse = to_codes && !sigmoid ? 1.0f / p.y.quantisation.scale : 1.0f;
    float *factor = scratch, *offset = scratch + layout.padded_out();
    float moved = 0, residual_factor = inverse;
    if (p.residual.dtype == DType::u8) {
      residual_factor = p.residual.quantisation.scale * inverse;
      moved = -static_cast<float>(p.residual.quantisation.zero) * residual_factor;
    }
    for (int64_t o = 0; o < layout.padded_out(); ++o) {
      factor[o] = p.x.quantisation.scale * steps[o] * inverse;
      offset[o] = (p.bias && o < p.out_c ? p.bias[o] * inverse : 0.0f) + moved;
    }
    constexpr float kNone = std::numeric_limits<float>::infinity();
    float low = -kNone, high = kNone;
    if (p.activation == Activation::relu || p.activation == Activation::relu6) low = 0;
    if (p.activation == Activation::relu6) high = 6.0f * inverse;
    const int32_t zero = p.y.quantisation.zero;
    if (to_codes && !sigmoid) {
      low = std::max(low, static_cast<float>(-zero));
      high = std::min(high, static_cast<float>(255 - zero));
    }
    return {p,      bytes,  layout.k(),      reinterpret_cast<const int32_t*>(bytes + layout.sums_at()),
            factor, offset, residual_factor, low,
            high,   zero,   to_codes,        sigmoid};
  }

  static void pack_panel(const IgemmU8Packed& layout, const float* weight, int64_t panel, void* packed) {
    auto* bytes = static_cast<uint8_t*>(packed);
    const int64_t per_tap = layout.lines_per_tap() * kLineBytes;
    for (int v = 0; v < kVectors; ++v) {
      const int64_t o = panel * kIgemmU8Panel + v * kLanes;
      const auto left = std::clamp<int64_t>(layout.out_c - o, 0, kLanes);
      const auto mask = static_cast<__mmask16>((1u << left) - 1u);
      const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
      __m512 largest = _mm512_setzero_ps();
      for (int64_t r = 0; r < layout.taps * layout.in_c; ++r) {
        const __m512i w = _mm512_maskz_loadu_epi32(mask, weight + r * layout.out_c + o);
        largest = _mm512_maskz_max_ps(kAll, largest, _mm512_castsi512_ps(_mm512_and_si512(w, magnitude)));
      }
      const __m512 by_127 = _mm512_div_ps(largest, _mm512_set1_ps(127.0f)), one = _mm512_set1_ps(1.0f);
      const __mmask16 positive = _mm512_cmp_ps_mask(by_127, _mm512_setzero_ps(), _CMP_GT_OQ);
      const __m512 step = _mm512_mask_blend_ps(positive, one, by_127);
      _mm512_storeu_ps(reinterpret_cast<float*>(bytes + layout.steps_at()) + o, step);
      __m512i total = _mm512_setzero_si512();
      for (int64_t tap = 0; tap < layout.taps; ++tap) {
        uint8_t* to = bytes + (panel * layout.taps + tap) * per_tap * kIgemmU8Panel + v * 64;
        for (int64_t c = 0; c < per_tap; c += 4, to += kStepBytes) {
          __m512i four = _mm512_setzero_si512();
          for (int64_t i = 3; i >= 0; --i) {
            four = _mm512_slli_epi32(four, 8);
            if (c + i >= layout.in_c) continue;
            const float* row = weight + (tap * layout.in_c + c + i) * layout.out_c + o;
            const __m512 ratio = _mm512_div_ps(_mm512_maskz_loadu_ps(mask, row), step);
            const __m512 limit = _mm512_set1_ps(127.0f), lowest = _mm512_set1_ps(-127.0f);
            const __m512 inside = _mm512_maskz_max_ps(kAll, _mm512_maskz_min_ps(kAll, ratio, limit), lowest);
            const __m512i code = _mm512_maskz_cvtps_epi32(kAll, inside);
            total = _mm512_add_epi32(total, code);
            four = _mm512_or_si512(four, _mm512_and_si512(code, _mm512_set1_epi32(255)));
          }
          _mm512_storeu_si512(to, four);
        }
      }
      _mm512_storeu_si512(reinterpret_cast<int32_t*>(bytes + layout.sums_at()) + o, total);
    }
  }

  static void tile(const Call& call, const uint8_t* a, int64_t panel, int64_t row, int64_t rows) {
    const int64_t column = panel * kIgemmU8Panel;
    const uint8_t* b = call.codes + panel * call.k * kIgemmU8Panel;
    __m512i acc[kRows][kVectors];
    const __m512i zero = _mm512_set1_epi32(-call.p.x.quantisation.zero);
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const __m512i start = _mm512_mullo_epi32(_mm512_loadu_si512(call.sums + column + v * kLanes), zero);
#pragma GCC unroll 14
      for (int r = 0; r < kRows; ++r) acc[r][v] = start;
    }
    for (int64_t q = 0; q < call.k; q += kLineBytes, a += kTileLine) {
#pragma GCC unroll 4
      for (int k = 0; k < kLineBytes; k += 4, b += kStepBytes) {
        __builtin_prefetch(b + kPrefetch);
        __builtin_prefetch(b + kPrefetch + 64);
        const __m512i b0 = _mm512_loadu_si512(b), b1 = _mm512_loadu_si512(b + 64);
#pragma GCC unroll 14
        for (int r = 0; r < kRows; ++r) {
          int32_t four;
          std::memcpy(&four, a + r * kLineBytes + k, sizeof four);
          const __m512i codes = _mm512_set1_epi32(four);
          acc[r][0] = add_products(acc[r][0], codes, b0);
          acc[r][1] = add_products(acc[r][1], codes, b1);
        }
      }
    }
    // Unrolled over rows, not looped: an indexed accumulator would leave the registers.
#pragma GCC unroll 14
    for (int r = 0; r < kRows; ++r) {
      if (r >= rows) continue;
      const int64_t residual = call.p.residual.present() ? call.p.residual_row(row + r) * call.p.out_c + column : 0;
      const int64_t y = (row + r) * call.p.out_c + column;
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) {
        const auto left = std::clamp<int64_t>(call.p.out_c - column - v * kLanes, 0, kLanes);
        finish(call, acc[r][v], column + v * kLanes, residual + v * kLanes, y + v * kLanes,
               static_cast<__mmask16>((1u << left) - 1u));
      }
    }
  }

  // One vector of sums to codes or numbers of y. Bounds in this order: NaN of a residual becomes the code 0.
  static inline __attribute__((always_inline)) void finish(const Call& call, __m512i sum, int64_t o, int64_t residual,
                                                           int64_t y, __mmask16 mask) {
    __m512 value = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(kAll, sum), _mm512_loadu_ps(call.factor + o),
                                   _mm512_loadu_ps(call.offset + o));
    const __m512 by = _mm512_set1_ps(call.residual_factor);
    if (call.p.residual.dtype == DType::u8) {
      const __m128i other = _mm_maskz_loadu_epi8(mask, call.p.residual.as<uint8_t>() + residual);
      value = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepu8_epi32(kAll, other)), by, value);
    } else if (call.p.residual.present()) {
      value = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, call.p.residual.f32() + residual), by, value);
    }
    if (call.sigmoid) value = sigmoid(call, value);
    if (!call.to_codes) {
      value = _mm512_maskz_min_ps(kAll, _mm512_set1_ps(call.high), value);
      _mm512_mask_storeu_ps(call.p.y.f32() + y, mask, _mm512_maskz_max_ps(kAll, _mm512_set1_ps(call.low), value));
      return;
    }
    value = _mm512_maskz_min_ps(kAll, _mm512_maskz_max_ps(kAll, value, _mm512_set1_ps(call.low)),
                                _mm512_set1_ps(call.high));
    const __m512i codes = _mm512_add_epi32(_mm512_maskz_cvtps_epi32(kAll, value), _mm512_set1_epi32(call.zero));
    const __m128i bytes = _mm512_maskz_cvtepi32_epi8(kAll, codes);
    auto* to = reinterpret_cast<__m128i*>(call.p.y.as<uint8_t>() + y);
    if (mask == kAll) {
      _mm_storeu_si128(to, bytes);  // a masked store of bytes is many times slower here
    } else {
      _mm_mask_storeu_epi8(to, mask, bytes);
    }
  }

  static __attribute__((noinline)) __m512 sigmoid(const Call& call, __m512 value) {
    const float by = call.to_codes ? 1.0f / call.p.y.quantisation.scale : 1.0f;
    float lanes[kLanes];
    _mm512_storeu_ps(lanes, value);
    for (float& lane : lanes) lane = portable_sigmoid(lane) * by;
    return _mm512_loadu_ps(lanes);
  }
};
