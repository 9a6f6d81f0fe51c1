// linear_igemm_amx.inl - linear over bf16 activations as the implicit matrix product of 1x1 images in tiles. Product:
// an IgemmAmx of kernels/base/igemm_amx.inl. Included inside an unnamed namespace by one file per level, and by
// tests/test_amx.cpp.
template <class Product>
struct LinearAmxBf16 {
  enum Input { kX, kWeight, kBias };
  static constexpr int64_t kBytes = 2;

  static const char* rejects(const OpCall& call) {
    return call.in[kX].dtype != DType::bf16 ? "activations are not bf16" : nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return amx_packed_bytes(1, w[0], w[1], kBytes);
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    amx_pack_bf16(call.in[kWeight].f32(), 1, w[0], w[1], packed, pool);
  }

  static AmxProblem problem(const OpCall& call) {
    return {.x = call.in[kX].data,
            .element_bytes = kBytes,
            .batch = call.in[kX].shape[0],
            .in_c = call.in[kWeight].shape[0],
            .out_c = call.in[kWeight].shape[1],
            .bias = call.has(kBias) ? call.in[kBias].f32() : nullptr,
            .activation = call.as<LinearParams>().activation,
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
