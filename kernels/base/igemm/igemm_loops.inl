// igemm_loops.inl - the product of igemm_call.h as plain loops, with any number of groups, depthwise included: the
// fallback of conv2d and linear that takes every call. One output row of pixels per work item. Included inside an
// unnamed namespace by one file per operator and kind of sums.
//
// Order  tap by tap, channel by channel; the output channel runs innermost over contiguous weights.

// Sums in float, weights as they are.
struct FloatSums {
  using Sum = float;
  static constexpr unsigned kAlsoTakes = kTakesBf16;
  static const char* rejects(const IgemmCall&) { return nullptr; }

  static void add(const IgemmCall& p, int64_t n, int64_t oy, int64_t ox, float* sums);
  static float real(const IgemmCall&, const float* sums, int64_t o) { return sums[o]; }
};

// Whole numbers over u8 codes. Packed: weight codes s8 [taps][in_c / groups][out_c], then, on a line of its own, one
// step per output channel.
struct IntegerSums {
  using Sum = int32_t;
  static constexpr unsigned kAlsoTakes = kTakesU8;
  static const char* rejects(const IgemmCall& p) { return p.x.dtype != DType::u8 ? "activations are not u8" : nullptr; }

  static int64_t rows(const IgemmCall& p) { return p.taps() * (p.in_c / p.groups); }
  static int64_t steps_at(const IgemmCall& p) { return divide_up(rows(p) * p.out_c, kLineBytes) * kLineBytes; }
  static int64_t packed_bytes(const IgemmCall& p) { return steps_at(p) + p.out_c * int64_t{sizeof(float)}; }
  static void pack(const IgemmCall& p, void* packed, ThreadPool&) {
    auto* codes = static_cast<int8_t*>(packed);
    auto* steps = reinterpret_cast<float*>(codes + steps_at(p));
    weight_steps(p.weight, rows(p), p.out_c, steps);
    for (int64_t i = 0; i < rows(p) * p.out_c; ++i) codes[i] = quantised_weight(p.weight[i], steps[i % p.out_c]);
  }

  static void add(const IgemmCall& p, int64_t n, int64_t oy, int64_t ox, int32_t* sums);
  static float real(const IgemmCall& p, const int32_t* sums, int64_t o) {
    const auto* steps = reinterpret_cast<const float*>(static_cast<const int8_t*>(p.packed) + steps_at(p));
    return static_cast<float>(sums[o]) * (p.x.quantisation.scale * steps[o]);
  }
};

inline float number(float x) {
  return x;
}
inline float number(bf16 x) {
  return bf16_to_f32(x.bits);
}
inline int32_t number(uint8_t x) {
  return x;
}

// Adds the products of one output pixel to its sums.
template <class X, class W, class Sum>
void add_products(const IgemmCall& p, const W* weight, Sum zero, int64_t n, int64_t oy, int64_t ox, Sum* sums) {
  const int64_t group_in = p.in_c / p.groups, group_out = p.out_c / p.groups;
  const X* image = p.x.as<const X>() + n * p.in_h * p.in_w * p.in_c;
  for (int64_t tap = 0; tap < p.taps(); ++tap) {
    const int64_t iy = oy * p.stride + tap / p.kernel_w * p.dilation - p.padding;
    const int64_t ix = ox * p.stride + tap % p.kernel_w * p.dilation - p.padding;
    if (iy < 0 || iy >= p.in_h || ix < 0 || ix >= p.in_w) continue;
    const X* x = image + (iy * p.in_w + ix) * p.in_c;
    const W* w = weight + tap * group_in * p.out_c;
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t c = 0; c < group_in; ++c) {
        const Sum value = number(x[g * group_in + c]) - zero;
        const W* row = w + c * p.out_c;
        for (int64_t o = g * group_out; o < (g + 1) * group_out; ++o) sums[o] += value * row[o];
      }
    }
  }
}

inline void FloatSums::add(const IgemmCall& p, int64_t n, int64_t oy, int64_t ox, float* sums) {
  if (p.x.dtype == DType::bf16) {
    add_products<bf16>(p, p.weight, 0.0f, n, oy, ox, sums);
  } else {
    add_products<float>(p, p.weight, 0.0f, n, oy, ox, sums);
  }
}

inline void IntegerSums::add(const IgemmCall& p, int64_t n, int64_t oy, int64_t ox, int32_t* sums) {
  add_products<uint8_t>(p, static_cast<const int8_t*>(p.packed), p.x.quantisation.zero, n, oy, ox, sums);
}

template <class Sums>
struct IgemmLoops : Sums {
  using Sum = typename Sums::Sum;

  // The sums of one pixel for each thread, which begin on a line of their own.
  static int64_t thread_bytes(const IgemmCall& p) {
    return divide_up(p.out_c * int64_t{sizeof(Sum)}, kLineBytes) * kLineBytes;
  }
  static int64_t scratch_bytes(const IgemmCall& p, int threads) { return threads * thread_bytes(p); }

  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) {
    pool.run(p.batch * p.out_h, [&](WorkRange range) {
      auto* sums = reinterpret_cast<Sum*>(static_cast<char*>(scratch) + range.thread * thread_bytes(p));
      for (int64_t item = range.begin; item < range.end; ++item) {
        for (int64_t ox = 0; ox < p.out_w; ++ox) {
          std::fill(sums, sums + p.out_c, Sum{0});
          Sums::add(p, item / p.out_h, item % p.out_h, ox, sums);
          const int64_t m = item * p.out_w + ox, residual = p.residual_row(m) * p.out_c;
          for (int64_t o = 0; o < p.out_c; ++o) {
            float sum = Sums::real(p, sums, o);
            if (p.bias) sum += p.bias[o];
            if (p.residual.present()) sum += load_as_f32(p.residual, residual + o);
            store_from_f32(p.y, m * p.out_c + o, activate(p.activation, sum));
          }
        }
      }
    });
  }
};
