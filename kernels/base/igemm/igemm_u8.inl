// igemm_u8.inl - the implicit matrix product of u8 codes with vpdpbusd: four products of u8 and s8 are added to each
// i32 of a vector. Included by the files of level avx512_vnni, inside an unnamed namespace. Intrinsics stand here
// because no other level has these products.
//
// Start  sums begin at -zero * (sum of the channel's weight codes), so that A is read as it lies
// End    factor, bias and residual come divided by the output's scale, so that a code is one conversion away
#pragma once

// The arithmetic of one call, with everything per output channel made ready.
class U8Kind {
 public:
  using Acc = __m512i;
  using A = __m512i;
  using B = __m512i;
  static constexpr DType kX = DType::u8;
  static constexpr int64_t kLanes = 16;

  // multipliers: memory of multiplier_bytes().
  static int64_t multiplier_bytes(const IgemmCall& p) {
    return 2 * IgemmU8Packed(p).padded_out() * int64_t{sizeof(float)};
  }
  U8Kind(const IgemmCall& p, float* multipliers)
      : residual_(p.residual),
        y_(p.y),
        to_codes_(p.y.dtype == DType::u8),
        sigmoid_(p.activation == Activation::sigmoid) {
    const IgemmU8Packed layout(p);
    const auto* packed = static_cast<const uint8_t*>(p.packed);
    const auto* steps = reinterpret_cast<const float*>(packed + layout.steps_at());
    code_sums_ = reinterpret_cast<const int32_t*>(packed + layout.sums_at());
    minus_zero_ = -p.x.quantisation.zero;
    // A sigmoid needs the number itself.
    const float inverse = to_codes_ && !sigmoid_ ? 1.0f / y_.quantisation.scale : 1.0f;
    float *factor = multipliers, *offset = multipliers + layout.padded_out(), moved = 0;
    residual_factor_ = inverse;
    if (residual_.dtype == DType::u8) {
      residual_factor_ = residual_.quantisation.scale * inverse;
      moved = -static_cast<float>(residual_.quantisation.zero) * residual_factor_;
    }
    for (int64_t o = 0; o < layout.padded_out(); ++o) {
      factor[o] = p.x.quantisation.scale * steps[o] * inverse;
      offset[o] = (p.bias && o < p.out_c ? p.bias[o] * inverse : 0.0f) + moved;
    }
    factor_ = factor;
    offset_ = offset;
    if (p.activation == Activation::relu || p.activation == Activation::relu6) low_ = 0;
    if (p.activation == Activation::relu6) high_ = 6.0f * inverse;
    if (to_codes_ && !sigmoid_) {
      low_ = std::max(low_, static_cast<float>(-y_.quantisation.zero));
      high_ = std::min(high_, static_cast<float>(255 - y_.quantisation.zero));
    }
  }

  static A broadcast(const unsigned char* four) {
    int32_t codes;
    std::memcpy(&codes, four, sizeof codes);
    return _mm512_set1_epi32(codes);
  }
  static B load(const unsigned char* b) { return _mm512_loadu_si512(b); }
  // gcc 12 copies accumulators around the intrinsic; as an instruction of its own it leaves them in place.
  static inline __attribute__((always_inline)) Acc dot(Acc acc, A codes, B weights) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(codes), "v"(weights));
    return acc;
  }
  static void keep(unsigned char* to, Acc acc) { _mm512_storeu_si512(to, acc); }
  static Acc kept(const unsigned char* from) { return _mm512_loadu_si512(from); }
  Acc start(int64_t column) const {
    return _mm512_mullo_epi32(_mm512_loadu_si512(code_sums_ + column), _mm512_set1_epi32(minus_zero_));
  }

  // Bounds in this order: NaN of a residual becomes the code 0.
  template <bool kWhole>
  inline __attribute__((always_inline)) void finish(Acc sum, int64_t column, int64_t residual, int64_t y,
                                                    int64_t left) const {
    if (!kWhole && left <= 0) return;
    const auto mask = kWhole ? kAll : static_cast<__mmask16>((1u << std::min(left, kLanes)) - 1u);
    __m512 value = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(kAll, sum), _mm512_loadu_ps(factor_ + column),
                                   _mm512_loadu_ps(offset_ + column));
    const __m512 by = _mm512_set1_ps(residual_factor_);
    if (residual_.dtype == DType::u8) {
      const __m128i other = _mm_maskz_loadu_epi8(mask, residual_.as<uint8_t>() + residual);
      value = _mm512_fmadd_ps(_mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepu8_epi32(kAll, other)), by, value);
    } else if (residual_.present()) {
      value = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, residual_.f32() + residual), by, value);
    }
    if (sigmoid_) value = sigmoid(value);
    if (!to_codes_) {
      value = _mm512_maskz_min_ps(kAll, _mm512_set1_ps(high_), value);
      _mm512_mask_storeu_ps(y_.f32() + y, mask, _mm512_maskz_max_ps(kAll, _mm512_set1_ps(low_), value));
      return;
    }
    value = _mm512_maskz_min_ps(kAll, _mm512_maskz_max_ps(kAll, value, _mm512_set1_ps(low_)), _mm512_set1_ps(high_));
    const __m512i codes =
        _mm512_add_epi32(_mm512_maskz_cvtps_epi32(kAll, value), _mm512_set1_epi32(y_.quantisation.zero));
    const __m128i bytes = _mm512_maskz_cvtepi32_epi8(kAll, codes);
    auto* to = reinterpret_cast<__m128i*>(y_.as<uint8_t>() + y);
    if (mask == kAll) {
      _mm_storeu_si128(to, bytes);  // a masked store of bytes is many times slower here
    } else {
      _mm_mask_storeu_epi8(to, mask, bytes);
    }
  }

 private:
  static constexpr __mmask16 kAll = 0xffff;

  __attribute__((noinline)) __m512 sigmoid(__m512 value) const {
    const float by = to_codes_ ? 1.0f / y_.quantisation.scale : 1.0f;
    float lanes[kLanes];
    _mm512_storeu_ps(lanes, value);
    for (float& lane : lanes) lane = portable_sigmoid(lane) * by;
    return _mm512_loadu_ps(lanes);
  }

  const Tensor residual_, y_;
  const int32_t* code_sums_;
  const float *factor_, *offset_;  // [padded out_c], divided by the scale of y if y is u8
  float residual_factor_, low_ = -std::numeric_limits<float>::infinity(),
                          high_ = std::numeric_limits<float>::infinity();
  int32_t minus_zero_;
  bool to_codes_, sigmoid_;
};

// Body: how the sums are made, over vectors or in tiles, in panels of kIgemmU8Panel.
template <class Body>
class IgemmU8 {
  static constexpr int64_t kLanes = U8Kind::kLanes, kStepBytes = kIgemmU8Panel * 4;  // of B for 4 k
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
  // The multipliers of one call come first.
  static int64_t scratch_bytes(const IgemmCall& p, int threads) {
    return U8Kind::multiplier_bytes(p) + Body::scratch_bytes(p, threads);
  }
  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    const U8Kind kind(p, static_cast<float*>(scratch));
    Body::run(p, kind, static_cast<uint8_t*>(scratch) + U8Kind::multiplier_bytes(p), pool);
  }

 private:
  static void pack_panel(const IgemmU8Packed& layout, const float* weight, int64_t panel, void* packed) {
    auto* bytes = static_cast<uint8_t*>(packed);
    const int64_t per_tap = layout.lines_per_tap() * kLineBytes;
    for (int64_t v = 0; v < kIgemmU8Panel / kLanes; ++v) {
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
};
