// conv2d_igemm_amx.inl - conv2d over bf16 activations as an implicit matrix product in tiles. Product: an IgemmAmx of
// kernels/base/igemm_amx.inl. Included inside an unnamed namespace by one file per level, and by tests/test_amx.cpp.
template <class Product>
struct Conv2dAmxBf16 {
  enum Input { kX, kWeight, kBias, kResidual };
  static constexpr int64_t kBytes = 2;

  static const char* rejects(const OpCall& call) {
    if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
    if (call.in[kX].dtype != DType::bf16) return "activations are not bf16";
    return nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return amx_packed_bytes(w[0] * w[1], w[2], w[3], kBytes);
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    amx_pack_bf16(call.in[kWeight].f32(), w[0] * w[1], w[2], w[3], packed, pool);
  }

  static AmxProblem problem(const OpCall& call) {
    const auto& params = call.as<Conv2dParams>();
    const Conv2dShape s = conv2d_shape(call);
    return {.x = call.in[kX].data,
            .element_bytes = kBytes,
            .batch = s.batch,
            .in_h = s.in_h,
            .in_w = s.in_w,
            .in_c = s.in_c,
            .kernel_h = s.kernel_h,
            .kernel_w = s.kernel_w,
            .stride = params.stride,
            .padding = params.padding,
            .dilation = params.dilation,
            .out_h = s.out_h,
            .out_w = s.out_w,
            .out_c = s.out_c,
            .bias = call.has(kBias) ? call.in[kBias].f32() : nullptr,
            .residual = call.has(kResidual) ? call.in[kResidual] : Tensor{},
            .residual_h = s.residual_h,
            .residual_w = s.residual_w,
            .residual_upsample = params.residual_upsample,
            .activation = params.activation,
            .y = call.out[0]};
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
