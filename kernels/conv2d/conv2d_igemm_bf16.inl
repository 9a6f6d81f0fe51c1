// conv2d_igemm_bf16.inl - conv2d as an implicit matrix product over Tile (an IgemmBf16 of kernels/base/igemm_bf16.inl).
// Included inside an unnamed namespace.
template <class Tile>
struct Conv2dIgemmBf16 {
  enum Input { kX, kWeight, kBias, kResidual };

  static const char* rejects(const OpCall& call) {
    if (call.in[kX].dtype != DType::bf16) return "activations are not bf16";
    if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
    return nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return igemm_bf16_packed_bytes(w[0] * w[1], w[2], w[3], Tile::panel());
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_bf16_pack(call.in[kWeight].f32(), w[0] * w[1], w[2], w[3], Tile::panel(), static_cast<bf16*>(packed), pool);
  }

  // At full capacity.
  static IgemmBf16Problem problem(const OpCall& call) {
    const auto& params = call.as<Conv2dParams>();
    const Conv2dShape s = conv2d_shape(call);
    IgemmBf16Problem p;
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
    p.residual_h = s.residual_h;
    p.residual_w = s.residual_w;
    p.residual_upsample = params.residual_upsample;
    p.activation = params.activation;
    p.y_is_f32 = call.out[0].dtype == DType::f32;
    return p;
  }

  static int64_t scratch_bytes(const OpCall& call, int threads) {
    return threads * Tile::scratch(problem(call)).bytes();
  }

  static void run(const OpCall& call, const RunContext& context) {
    IgemmBf16Problem p = problem(call);
    const IgemmBf16Scratch scratch = Tile::scratch(p);
    p.batch = call.in[kX].rows();
    p.x = static_cast<const bf16*>(call.in[kX].data);
    p.packed = static_cast<const bf16*>(context.packed);
    p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
    p.residual = call.has(kResidual) ? static_cast<const bf16*>(call.in[kResidual].data) : nullptr;
    p.y = call.out[0].data;
    Tile::run(p, scratch, context.scratch, *context.pool);
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
