// linear_igemm_bf16.inl - linear as the implicit matrix product of 1x1 images over Tile (an IgemmBf16 of
// kernels/base/igemm_bf16.inl). Included inside an unnamed namespace.
template <class Tile>
struct LinearIgemmBf16 {
  enum Input { kX, kWeight, kBias };

  static const char* rejects(const OpCall& call) {
    if (call.in[kX].dtype != DType::bf16) return "activations are not bf16";
    return nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return igemm_bf16_packed_bytes(1, w[0], w[1], Tile::panel());
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_bf16_pack(call.in[kWeight].f32(), 1, w[0], w[1], Tile::panel(), static_cast<bf16*>(packed), pool);
  }

  // At full capacity.
  static IgemmBf16Problem problem(const OpCall& call) {
    IgemmBf16Problem p;
    p.batch = call.in[kX].shape[0];
    p.in_c = call.in[kWeight].shape[0];
    p.out_c = call.in[kWeight].shape[1];
    p.activation = call.as<LinearParams>().activation;
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
