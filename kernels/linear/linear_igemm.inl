// linear_igemm.inl - linear as the implicit matrix product of 1x1 images over Tile (an Igemm of
// kernels/base/igemm.inl). Included by one file per instruction set, inside an unnamed namespace.
template <class Tile>
struct LinearIgemm {
  enum Input { kX, kWeight, kBias };

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return igemm_packed_floats(1, w[0], w[1], Tile::panel()) * int64_t{sizeof(float)};
  }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_pack(call.in[kWeight].f32(), 1, w[0], w[1], Tile::panel(), static_cast<float*>(packed), pool);
  }

  static void pack_i8(const OpCall& call, const StoredI8& weight, void* packed, ThreadPool& pool) {
    const Shape& w = call.in[kWeight].shape;
    igemm_pack_i8(weight, 1, w[0], w[1], Tile::panel(), static_cast<float*>(packed), pool);
  }

  static int64_t scratch_bytes(const OpCall&, int threads) {
    return threads * igemm_scratch_floats(Tile::tile_rows()) * int64_t{sizeof(float)};
  }

  static void run(const OpCall& call, const RunContext& context) {
    IgemmProblem p;
    p.x = call.in[kX].f32();
    p.batch = call.in[kX].rows();
    p.in_c = call.in[kWeight].shape[0];
    p.out_c = call.in[kWeight].shape[1];
    p.packed = static_cast<const float*>(context.packed);
    p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
    p.activation = call.as<LinearParams>().activation;
    p.y = call.out[0].f32();
    Tile::run(p, context.scratch, *context.pool);
  }

  static constexpr Kernel kernel() {
    return {.run = run, .scratch_bytes = scratch_bytes, .packed_bytes = packed_bytes, .pack = pack, .pack_i8 = pack_i8};
  }
};
