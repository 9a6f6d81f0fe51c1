// linear_igemm_avx512_vnni.cpp - backend cpu, level avx512_vnni: linear of u8 codes as the implicit matrix product of
// 1x1 images
// Layout   x u8 [R][K]; weight packed as s8 [panel of 32][K / 4, padded to 16][32][4]; y u8 or f32 [R][O]
// Tile     14 rows x 2 vectors of 16 sums, as conv2d_igemm_avx512_vnni.cpp
// Work     per tile and 4 k: 28 vpdpbusd, 2 vector loads, 14 broadcasts
// Bound    vpdpbusd rate: 25.7 GOP of fc6 (1000 rows, 12544 -> 1024) at four times the FMA rate (2190 GOP/s) -> 12 ms
// Measured not alone yet; the tile is that of conv2d_igemm_avx512_vnni.cpp
// Rejects  output of another type than u8 and f32
// Numerics sums exact; one rounded multiply-add per output; same bytes for every thread count and batch
// Tried    see conv2d_igemm_avx512_vnni.cpp
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/base/igemm.h"
#include "kernels/base/igemm_u8.h"
#include "kernels/linear/linear.h"

namespace spinert {
namespace {

#include "kernels/base/igemm_u8.inl"

enum Input { kX, kWeight, kBias };

const char* rejects(const OpCall& call) {
  if (call.in[kX].dtype != DType::u8) return "takes activations of u8 only";
  return call.out[0].dtype == DType::u8 || call.out[0].dtype == DType::f32 ? nullptr : "output: u8 or f32";
}

IgemmU8Packed layout(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  return {1, w[0], w[1]};
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
  IgemmU8Problem p;
  p.x = call.in[kX].as<uint8_t>();
  p.x_codes = call.in[kX].quantisation;
  p.batch = call.in[kX].rows();
  p.in_c = call.in[kWeight].shape[0];
  p.out_c = call.in[kWeight].shape[1];
  p.packed = context.packed;
  p.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  p.activation = call.as<LinearParams>().activation;
  p.y = call.out[0];
  IgemmU8::run(p, context.scratch, *context.pool);
}

}  // namespace

extern const Kernel linear_igemm_14x32_avx512_vnni;
const Kernel linear_igemm_14x32_avx512_vnni = {.rejects = rejects,
                                               .run = run,
                                               .scratch_bytes = scratch_bytes,
                                               .packed_bytes = packed_bytes,
                                               .pack = pack,
                                               .also_takes = kTakesU8};

}  // namespace spinert
