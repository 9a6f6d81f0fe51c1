// linear_igemm_amx.inl - linear over bf16 or u8 activations as the implicit matrix product of 1x1 images in tiles.
// Product: an IgemmAmx of kernels/base/igemm_amx.inl. Included inside an unnamed namespace by one file per level, and
// by tests/test_amx.cpp.
struct LinearAmxCall {
  enum Input { kX, kWeight, kBias };

  // At full capacity.
  static AmxProblem problem(const OpCall& call) {
    AmxProblem p;
    p.x = call.in[kX].data;
    p.batch = call.in[kX].shape[0];
    p.in_c = call.in[kWeight].shape[0];
    p.out_c = call.in[kWeight].shape[1];
    p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
    p.activation = call.as<LinearParams>().activation;
    p.y = call.out[0];
    return p;
  }
};

template <class Product>
struct LinearAmxBf16 : LinearAmxCall {
  static const char* rejects(const OpCall& call) {
    return call.in[kX].dtype != DType::bf16 ? "activations are not bf16" : nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return igemm_bf16_packed_bytes(1, w[0], w[1], kAmxPanel);
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_bf16_pack(call.in[kWeight].f32(), 1, w[0], w[1], kAmxPanel, static_cast<bf16*>(packed), pool);
  }

  static int64_t scratch_bytes(const OpCall& call, int threads) { return threads * amx_scratch(problem(call)).total(); }

  static void run(const OpCall& call, const RunContext& context) {
    AmxProblem p = problem(call);
    p.batch = call.in[kX].rows();
    p.packed = context.packed;
    Product::run(p, context.scratch, *context.pool);
  }

  static constexpr Kernel kernel() {
    return {.rejects = rejects,
            .run = run,
            .scratch_bytes = scratch_bytes,
            .packed_bytes = packed_bytes,
            .pack = pack,
            .also_takes = kTakesBf16};
  }
};

// Packer::pack(layout, weight, packed, pool) writes the packed form of kernels/base/igemm_u8.h.
template <class Product, class Packer>
struct LinearAmxU8 : LinearAmxCall {
  static bool fits(const Tensor& t) { return t.dtype == DType::u8 || t.dtype == DType::f32; }

  static const char* rejects(const OpCall& call) {
    if (call.in[kX].dtype != DType::u8) return "activations are not u8";
    return fits(call.out[0]) ? nullptr : "output: u8 or f32";
  }

  static IgemmU8Packed layout(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return {1, w[0], w[1]};
  }

  static int64_t packed_bytes(const OpCall& call) { return layout(call).bytes(); }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    Packer::pack(layout(call), call.in[kWeight].f32(), packed, pool);
  }

  static AmxProblem problem(const OpCall& call) {
    AmxProblem p = LinearAmxCall::problem(call);
    p.element_bytes = 1;
    p.x_codes = call.in[kX].quantisation;
    p.outside = static_cast<uint8_t>(p.x_codes.zero);
    return p;
  }

  static int64_t scratch_bytes(const OpCall& call, int threads) { return threads * amx_scratch(problem(call)).total(); }

  static void run(const OpCall& call, const RunContext& context) {
    AmxProblem p = problem(call);
    const auto* packed = static_cast<const unsigned char*>(context.packed);
    p.batch = call.in[kX].rows();
    p.packed = packed;
    p.steps = reinterpret_cast<const float*>(packed + layout(call).steps_at());
    p.code_sums = reinterpret_cast<const int32_t*>(packed + layout(call).sums_at());
    Product::run(p, context.scratch, *context.pool);
  }

  static constexpr Kernel kernel() {
    return {.rejects = rejects,
            .run = run,
            .scratch_bytes = scratch_bytes,
            .packed_bytes = packed_bytes,
            .pack = pack,
            .also_takes = kTakesU8};
  }
};
