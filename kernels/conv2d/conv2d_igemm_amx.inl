// conv2d_igemm_amx.inl - conv2d over bf16 or u8 activations as an implicit matrix product in tiles. Product: an
// IgemmAmx of kernels/base/igemm_amx.inl. Included inside an unnamed namespace by one file per level, and by
// tests/test_amx.cpp.
struct Conv2dAmxCall {
  enum Input { kX, kWeight, kBias, kResidual };

  // At full capacity.
  static AmxProblem problem(const OpCall& call) {
    const auto& params = call.as<Conv2dParams>();
    const Conv2dShape s = conv2d_shape(call);
    AmxProblem p;
    p.x = call.in[kX].data;
    p.batch = s.batch;
    p.in_h = s.in_h;
    p.in_w = s.in_w;
    p.in_c = s.in_c;
    p.kernel_h = s.kernel_h;
    p.kernel_w = s.kernel_w;
    p.stride = params.stride;
    p.padding = params.padding;
    p.dilation = params.dilation;
    p.out_h = s.out_h;
    p.out_w = s.out_w;
    p.out_c = s.out_c;
    p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
    p.residual = call.has(kResidual) ? call.in[kResidual] : Tensor{};
    p.residual_h = s.residual_h;
    p.residual_w = s.residual_w;
    p.residual_upsample = params.residual_upsample;
    p.activation = params.activation;
    p.y = call.out[0];
    return p;
  }
};

template <class Product>
struct Conv2dAmxBf16 : Conv2dAmxCall {
  static const char* rejects(const OpCall& call) {
    if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
    if (call.in[kX].dtype != DType::bf16) return "activations are not bf16";
    return nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return igemm_bf16_packed_bytes(w[0] * w[1], w[2], w[3], kAmxPanel);
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_bf16_pack(call.in[kWeight].f32(), w[0] * w[1], w[2], w[3], kAmxPanel, static_cast<bf16*>(packed), pool);
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
struct Conv2dAmxU8 : Conv2dAmxCall {
  static bool fits(const Tensor& t) { return t.dtype == DType::u8 || t.dtype == DType::f32; }

  static const char* rejects(const OpCall& call) {
    if (call.in[kX].dtype != DType::u8) return "activations are not u8";
    if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
    if (!fits(call.out[0]) || (call.has(kResidual) && !fits(call.in[kResidual])))
      return "residual and output: u8 or f32";
    return nullptr;
  }

  static IgemmU8Packed layout(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return {w[0] * w[1], w[2], w[3]};
  }

  static int64_t packed_bytes(const OpCall& call) { return layout(call).bytes(); }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    Packer::pack(layout(call), call.in[kWeight].f32(), packed, pool);
  }

  static AmxProblem problem(const OpCall& call) {
    AmxProblem p = Conv2dAmxCall::problem(call);
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
