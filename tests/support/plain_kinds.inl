// plain_kinds.inl - the arithmetic of products in tiles, one number at a time and after its descriptions alone
// (kernels/base/igemm/igemm_bf16.h, igemm_u8.h, kernels/base/quantise.h), so that the body of igemm_amx.inl runs over
// the model of the tile instructions on every machine. Included inside an unnamed namespace by test_amx.cpp.

// What both types share: bias, residual, activation and the type of y.
struct PlainEpilogue {
  const IgemmCall& p;

  void finish(float sum, int64_t column, int64_t residual, int64_t y) const {
    if (p.bias) sum += p.bias[column];
    if (p.residual.present()) sum += load_as_f32(p.residual, residual);
    store_from_f32(p.y, y, activate(p.activation, sum));
  }
};

struct PlainBf16Kind : PlainEpilogue {
  using Acc = float;
  static constexpr DType kX = DType::bf16;
  static constexpr int64_t kLanes = 1;
  static Acc start(int64_t /*column*/) { return 0; }
  static void keep(unsigned char* to, Acc sum) { std::memcpy(to, &sum, sizeof sum); }
  static Acc kept(const unsigned char* from) {
    Acc sum;
    std::memcpy(&sum, from, sizeof sum);
    return sum;
  }
  template <bool kWhole>
  void finish(Acc sum, int64_t column, int64_t residual, int64_t y, int64_t left) const {
    if (left > 0) PlainEpilogue::finish(sum, column, residual, y);
  }

  static const char* rejects(const IgemmCall& p) { return igemm_bf16_rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return igemm_bf16_packed_bytes(p, kAmxPanel); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) {
    igemm_bf16_pack(p, kAmxPanel, static_cast<bf16*>(packed), pool);
  }
};

struct PlainU8Kind : PlainEpilogue {
  using Acc = int32_t;
  static constexpr DType kX = DType::u8;
  static constexpr int64_t kLanes = 1;
  Acc start(int64_t column) const {
    return -p.x.quantisation.zero * part<int32_t>(p, IgemmU8Packed(p).sums_at())[column];
  }
  static void keep(unsigned char* to, Acc sum) { std::memcpy(to, &sum, sizeof sum); }
  static Acc kept(const unsigned char* from) {
    Acc sum;
    std::memcpy(&sum, from, sizeof sum);
    return sum;
  }
  template <bool kWhole>
  void finish(Acc sum, int64_t column, int64_t residual, int64_t y, int64_t left) const {
    if (left <= 0) return;
    const float step = part<float>(p, IgemmU8Packed(p).steps_at())[column];
    PlainEpilogue::finish(static_cast<float>(sum) * (p.x.quantisation.scale * step), column, residual, y);
  }

  static const char* rejects(const IgemmCall& p) { return igemm_u8_rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return IgemmU8Packed(p).bytes(); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool&) {
    const IgemmU8Packed layout(p);
    std::memset(packed, 0, static_cast<size_t>(layout.bytes()));
    auto* codes = static_cast<int8_t*>(packed);
    auto* steps = reinterpret_cast<float*>(codes + layout.steps_at());
    auto* sums = reinterpret_cast<int32_t*>(codes + layout.sums_at());
    weight_steps(p.weight, layout.taps * layout.in_c, layout.out_c, steps);
    const int64_t quads = layout.lines_per_tap() * kLineBytes / 4;  // of a tap
    for (int64_t tap = 0; tap < layout.taps; ++tap) {
      for (int64_t c = 0; c < layout.in_c; ++c) {
        for (int64_t o = 0; o < layout.out_c; ++o) {
          const int8_t code = quantised_weight(p.weight[(tap * layout.in_c + c) * layout.out_c + o], steps[o]);
          const int64_t panel = o / 32, quad = (panel * layout.taps + tap) * quads + c / 4;
          codes[(quad * 32 + o % 32) * 4 + c % 4] = code;
          sums[o] += code;
        }
      }
    }
  }

 private:
  template <class Number>
  static const Number* part(const IgemmCall& p, int64_t at) {
    return reinterpret_cast<const Number*>(static_cast<const unsigned char*>(p.packed) + at);
  }
};

// The engine of a row over the model.
template <class Kind>
struct ModelProduct {
  using Body = IgemmAmx<AmxModel, Kind>;
  static constexpr unsigned kAlsoTakes = Kind::kX == DType::u8 ? kTakesU8 : kTakesBf16;
  static const char* rejects(const IgemmCall& p) { return Kind::rejects(p); }
  static int64_t packed_bytes(const IgemmCall& p) { return Kind::packed_bytes(p); }
  static void pack(const IgemmCall& p, void* packed, ThreadPool& pool) { Kind::pack(p, packed, pool); }
  static int64_t scratch_bytes(const IgemmCall& p, int threads) { return Body::scratch_bytes(p, threads); }
  static void run(const IgemmCall& p, void* scratch, ThreadPool& pool) { Body::run(p, Kind{{p}}, scratch, pool); }
};
