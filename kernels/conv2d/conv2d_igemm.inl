// conv2d_igemm.inl - conv2d as an implicit matrix product over Tile (an Igemm of kernels/base/igemm.inl). Included by
// one file per instruction set, inside an unnamed namespace.
template <class Tile>
struct Conv2dIgemm {
  enum Input { kX, kWeight, kBias, kResidual };

  static const char* rejects(const OpCall& call) {
    if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
    return nullptr;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return igemm_packed_floats(w[0] * w[1], w[2], w[3], Tile::panel()) * int64_t{sizeof(float)};
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_pack(call.in[kWeight].f32(), w[0] * w[1], w[2], w[3], Tile::panel(), static_cast<float*>(packed), pool);
  }

  static void pack_i8(const OpCall& call, const StoredI8& weight, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_pack_i8(weight, w[0] * w[1], w[2], w[3], Tile::panel(), static_cast<float*>(packed), pool);
  }

  static int64_t scratch_bytes(const OpCall&, int threads) {
    return threads * igemm_scratch_floats(Tile::tile_rows()) * int64_t{sizeof(float)};
  }

  static void run(const OpCall& call, const RunContext& context) {
    const auto& params = call.as<Conv2dParams>();
    const Conv2dShape s = conv2d_shape(call);
    IgemmProblem p;
    p.x = call.in[kX].f32();
    p.batch = call.in[kX].rows();
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
    p.packed = static_cast<const float*>(context.packed);
    p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
    p.residual = call.has(kResidual) ? call.in[kResidual].f32() : nullptr;
    p.residual_h = s.residual_h;
    p.residual_w = s.residual_w;
    p.residual_upsample = params.residual_upsample;
    p.activation = params.activation;
    p.y = call.out[0].f32();
    Tile::run(p, context.scratch, *context.pool);
  }

  static constexpr Kernel kernel() {
    return {.rejects = rejects,
            .run = run,
            .scratch_bytes = scratch_bytes,
            .packed_bytes = packed_bytes,
            .pack = pack,
            .pack_i8 = pack_i8};
  }
};
