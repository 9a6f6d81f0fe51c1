// conv2d_stem.inl - body of conv2d_stem over the vector type V. Included by one file per instruction set, inside an
// unnamed namespace. Each thread copies the picture rows of one output row into a zero-padded strip, so that the inner
// loop has no border test; it then walks tiles of kTilePixels pixels times kTileVectors vectors of output channels.
template <class V, int kTilePixels, int kTileVectors>
struct Conv2dStemDirect {
  using Reg = typename V::V;
  enum Input { kGrey, kWeight, kBorder };
  static constexpr int64_t kPanel = int64_t{kTileVectors} * V::kLanes;

  struct Sizes {
    int64_t in_h, in_w, out_h, out_w, out_c, kernel_h, kernel_w, stride, padding, strip_w;
  };

  static Sizes sizes(const OpCall& call) {
    const auto& p = call.as<Conv2dStemParams>();
    const Shape &x = call.in[kGrey].shape, &w = call.in[kWeight].shape, &y = call.out[0].shape;
    // Whole tiles: the last tile of a row may compute pixels beyond out_w, which are not stored.
    const int64_t tiles = (y[2] + kTilePixels - 1) / kTilePixels;
    return {x[1], x[2], y[1], y[2], y[3], w[0], w[1], p.stride, p.padding, (tiles * kTilePixels - 1) * p.stride + w[1]};
  }

  static int64_t scratch_floats(const Sizes& s) { return (s.kernel_h * s.strip_w + 15) / 16 * 16; }

  static int64_t scratch_bytes(const OpCall& call, int threads) {
    return threads * scratch_floats(sizes(call)) * int64_t{sizeof(float)};
  }

  // [panel][tap][kPanel], absent channels zero.
  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return (w[3] + kPanel - 1) / kPanel * kPanel * w[0] * w[1] * int64_t{sizeof(float)};
  }

  static void pack(const OpCall& call, void* packed, ThreadPool&) {
    const Shape& w = call.in[kWeight].shape;
    const int64_t taps = w[0] * w[1], out_c = w[3];
    float* to = static_cast<float*>(packed);
    for (int64_t o = 0; o < out_c; o += kPanel) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        for (int64_t i = 0; i < kPanel; ++i) *to++ = o + i < out_c ? call.in[kWeight].f32()[tap * out_c + o + i] : 0.0f;
      }
    }
  }

  static void run(const OpCall& call, const RunContext& context) {
    switch (call.out[0].dtype) {
      case DType::bf16: return run_as<bf16>(call, context);
      case DType::u8: return run_as<uint8_t>(call, context);
      default: return run_as<float>(call, context);
    }
  }

  // Y: float, bf16 or uint8_t, the type of the output.
  template <class Y>
  static void run_as(const OpCall& call, const RunContext& context) {
    const auto& params = call.as<Conv2dStemParams>();
    const Sizes s = sizes(call);
    const StemClasses rows = stem_classes(s.in_h, s.out_h, s.kernel_h, s.stride, s.padding);
    const StemClasses columns = stem_classes(s.in_w, s.out_w, s.kernel_w, s.stride, s.padding);
    context.pool->run(call.in[kGrey].rows() * s.out_h, [&](WorkRange range) {
      float* strip = static_cast<float*>(context.scratch) + range.thread * scratch_floats(s);
      for (int64_t item = range.begin; item < range.end; ++item) {
        const int64_t n = item / s.out_h, oy = item % s.out_h;
        fill_strip(call.in[kGrey].f32() + n * s.in_h * s.in_w, s, oy, strip);
        const float* border = call.in[kBorder].f32() + rows.of(oy) * columns.count * s.out_c;
        Y* y = static_cast<Y*>(call.out[0].data) + item * s.out_w * s.out_c;
        for (int64_t o = 0; o < s.out_c; o += kPanel) {
          const float* weight = static_cast<const float*>(context.packed) + o * s.kernel_h * s.kernel_w;
          for (int64_t ox = 0; ox < s.out_w; ox += kTilePixels) {
            tile(s, params.activation, columns, strip + ox * s.stride, weight, border + o, ox, o, y,
                 call.out[0].quantisation);
          }
        }
      }
    });
  }

  static void fill_strip(const float* image, const Sizes& s, int64_t oy, float* strip) {
    for (int64_t i = 0; i < s.kernel_h; ++i, strip += s.strip_w) {
      const int64_t y = oy * s.stride + i - s.padding;
      const bool inside = y >= 0 && y < s.in_h;
      const int64_t begin = std::min(s.padding, s.strip_w), end = std::min(s.padding + s.in_w, s.strip_w);
      std::fill(strip, strip + (inside ? begin : s.strip_w), 0.0f);
      if (!inside) continue;
      std::copy(image + y * s.in_w, image + y * s.in_w + (end - begin), strip + begin);
      std::fill(strip + end, strip + s.strip_w, 0.0f);
    }
  }

  template <class Y>
  static void tile(const Sizes& s, Activation activation, const StemClasses& columns, const float* strip,
                   const float* weight, const float* border, int64_t ox, int64_t o, Y* y, const Quantisation& q) {
    [[maybe_unused]] const Reg inverse = V::set1(1.0f / q.scale);
    Reg acc[kTilePixels][kTileVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kTilePixels; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) acc[r][v] = V::zero();
    }
    for (int64_t i = 0; i < s.kernel_h; ++i) {
      const float* x = strip + i * s.strip_w;
      for (int64_t j = 0; j < s.kernel_w; ++j, weight += kPanel) {
        Reg w[kTileVectors];
#pragma GCC unroll 8
        for (int v = 0; v < kTileVectors; ++v) w[v] = V::loadu(weight + v * V::kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kTilePixels; ++r) {
          const Reg value = V::set1(x[r * s.stride + j]);
#pragma GCC unroll 8
          for (int v = 0; v < kTileVectors; ++v) acc[r][v] = V::madd(value, w[v], acc[r][v]);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kTilePixels; ++r) {
      if (ox + r >= s.out_w) continue;
      const float* add = border + columns.of(ox + r) * s.out_c;
      Y* to = y + (ox + r) * s.out_c + o;
#pragma GCC unroll 8
      for (int v = 0; v < kTileVectors; ++v) {
        const int64_t left = s.out_c - o - int64_t{v} * V::kLanes;
        const int64_t lanes = left < V::kLanes ? left : V::kLanes;
        if (lanes <= 0) continue;
        const bool whole = lanes == V::kLanes;
        const Reg edge = whole ? V::loadu(add + v * V::kLanes) : V::load_n(add + v * V::kLanes, lanes);
        const Reg sum = activate_vector<V>(activation, V::add(acc[r][v], edge));
        if constexpr (std::is_same_v<Y, uint8_t>) {
          V::store_u8(to + v * V::kLanes, V::mul(sum, inverse), q.zero, lanes);
        } else if (whole) {
          V::storeu(to + v * V::kLanes, sum);
        } else {
          V::store_n(to + v * V::kLanes, sum, lanes);
        }
      }
    }
  }

  static constexpr Kernel kernel() {
    return {.run = run,
            .scratch_bytes = scratch_bytes,
            .packed_bytes = packed_bytes,
            .pack = pack,
            .also_takes = kTakesBf16 | kTakesU8};
  }
};
