// igemm_row.inl - the row of kernels/registry.def for an engine of the implicit matrix product and an operator that is
// one. Included inside an unnamed namespace by one file per operator, engine and instruction set.
//
// kCall: the operator's call at full capacity as an IgemmCall (conv2d_igemm_call, linear_igemm_call).
// Engine: kAlsoTakes; rejects(IgemmCall); scratch_bytes(IgemmCall, threads); run(IgemmCall, scratch, pool); and, unless
// it uses the weight as it is, packed_bytes(IgemmCall), pack(IgemmCall, packed, pool) and perhaps pack_i8.
#pragma once

template <class Engine, IgemmCall (*kCall)(const OpCall&)>
struct IgemmRow {
  static const char* rejects(const OpCall& call) { return Engine::rejects(kCall(call)); }

  static int64_t scratch_bytes(const OpCall& call, int threads) { return Engine::scratch_bytes(kCall(call), threads); }

  static int64_t packed_bytes(const OpCall& call) { return Engine::packed_bytes(kCall(call)); }

  static void pack(const OpCall& call, void* packed, ThreadPool& pool) { Engine::pack(kCall(call), packed, pool); }

  static void pack_i8(const OpCall& call, const StoredI8& weight, void* packed, ThreadPool& pool) {
    Engine::pack_i8(kCall(call), weight, packed, pool);
  }

  static void run(const OpCall& call, const RunContext& context) {
    IgemmCall p = kCall(call);
    p.batch = call.in[0].rows();
    p.packed = context.packed;
    if (p.rows() > 0 && p.out_c > 0) Engine::run(p, context.scratch, *context.pool);
  }

  static constexpr Kernel kernel() {
    Kernel row{.rejects = rejects, .run = run, .scratch_bytes = scratch_bytes, .also_takes = Engine::kAlsoTakes};
    if constexpr (requires { &Engine::pack; }) {
      row.packed_bytes = packed_bytes;
      row.pack = pack;
    }
    if constexpr (requires { &Engine::pack_i8; }) row.pack_i8 = pack_i8;
    return row;
  }
};
