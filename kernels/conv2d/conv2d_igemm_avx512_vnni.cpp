// conv2d_igemm_avx512_vnni.cpp - backend cpu, level avx512_vnni: conv2d of u8 codes as an implicit matrix product
// Layout   x NHWC u8, any C; weight packed as s8 [panel of 32][tap][C / 4, padded to 16][32][4]; y NHWC u8 or f32
// Tile     14 rows x 2 vectors of 16 sums: 28 accumulators, 2 registers of B, 1 broadcast of A; 31 of 32 registers
// Work     per tile and 4 k: 28 vpdpbusd, 2 vector loads, 14 broadcasts -> 14 cycles on two ports, loads hidden
// Bound    vpdpbusd rate: 77.3 GOP of fpn.0 (3x3, 256 -> 256, 256x256) at four times the FMA rate (2190 GOP/s) -> 35 ms
// Measured 2-core Zen 5 VM beside other work (78 GFLOP/s FMA roof in that run), 2 threads, 2026-11-24: fpn.0 3.2 times
//          the FMA roof, 1x1 1024 -> 256 on 8 x 14x14 2.1 times; not yet on a quiet machine
// Rejects  groups != 1, residual or output of another type than u8 and f32
// Numerics sums exact; one multiply-add, rounded, per output and one more for the residual; same bytes for every thread
//          count and batch
// Tried    the intrinsic instead of the instruction: gcc 12 copies every accumulator, 0.4 of the rate; masked stores of
//          whole vectors of bytes: 1x1 64 -> 256 ran at half of the FMA roof
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/igemm.h"
#include "kernels/base/igemm_u8.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

#include "kernels/base/igemm_u8.inl"

enum Input { kX, kWeight, kBias, kResidual };

const char* rejects(const OpCall& call) {
  const auto fits = [](const Tensor& t) { return t.dtype == DType::u8 || t.dtype == DType::f32; };
  if (call.in[kX].dtype != DType::u8) return "takes activations of u8 only";
  if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
  if (!fits(call.out[0]) || (call.has(kResidual) && !fits(call.in[kResidual]))) return "residual and output: u8 or f32";
  return nullptr;
}

IgemmU8Packed layout(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  return {w[0] * w[1], w[2], w[3]};
}

int64_t packed_bytes(const OpCall& call) {
  return layout(call).bytes();
}

void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  IgemmU8::pack(layout(call), call.in[kWeight].f32(), packed, pool);
}

int64_t scratch_bytes(const OpCall& call, int threads) {
  return IgemmU8::scratch_bytes(layout(call), threads);
}

void run(const OpCall& call, const RunContext& context) {
  const auto& params = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  IgemmU8Problem p;
  p.x = call.in[kX].as<uint8_t>();
  p.x_codes = call.in[kX].quantisation;
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
  p.packed = context.packed;
  p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  if (call.has(kResidual)) p.residual = call.in[kResidual];
  p.residual_h = s.residual_h;
  p.residual_w = s.residual_w;
  p.residual_upsample = params.residual_upsample;
  p.activation = params.activation;
  p.y = call.out[0];
  IgemmU8::run(p, context.scratch, *context.pool);
}

}  // namespace

extern const Kernel conv2d_igemm_14x32_avx512_vnni;
const Kernel conv2d_igemm_14x32_avx512_vnni = {.rejects = rejects,
                                               .run = run,
                                               .scratch_bytes = scratch_bytes,
                                               .packed_bytes = packed_bytes,
                                               .pack = pack,
                                               .also_takes = kTakesU8};

}  // namespace spinert
