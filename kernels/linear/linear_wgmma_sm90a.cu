// linear_wgmma_sm90a.cu - backend cuda, level sm90a: linear by TMA and wgmma.
//
// Layout    x rows of K halves; weight packed [O padded to 32, permuted][K padded to 64] halves; y rows of O
// Tile      128 rows x 64, 128 or 256 columns, 64 k a step; a ring of 192 KiB, two warpgroups that multiply
// Work      a step of a tile of 128 x 128: 8 wgmma m64n128k16 = 512 cycles of the tensor cores, 32 KiB by TMA
// Bound     tensor cores: 25.7 GFLOP of fc6 (1000 x 12544 -> 1024) at 790 TFLOP/s = 33 us; its 53 MB at 4.3 TB/s take
//           12 us
// Measured  not yet: no card was available; predicted for an H200: fc6 is 64 tiles in 2 segments of 98 steps, on 128 of
//           132 multiprocessors 36 us, and about 4 us to add them, 8 MB that stay in the second-level cache
// Rejects   f32; K % 8 != 0; O % 8 != 0; sigmoid; an output that is neither of the type of x nor f32
// Numerics  f32 sums in the order of k, 16 at a time; long sums are cut into at most 8 segments, added in order. K and
//           O decide: same bytes for every count and batch
// Tried     nothing else
#include "kernels/base/gemm_launch_sm90a.cuh"
#include "kernels/linear/linear.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias };

const char* rejects(const OpCall& call) {
  const DType type = call.in[kX].dtype, output = call.out[0].dtype;
  const Shape& w = call.in[kWeight].shape;
  if (!is_half(type)) return "needs f16 or bf16";
  if (output != type && output != DType::f32) return "output of the other half type";
  if (w[0] % 8 != 0) return "rows of x not a multiple of 16 bytes";
  if (w[1] % sm90a::kEight != 0) return "output channels not a multiple of 8";
  if (call.as<LinearParams>().activation == Activation::sigmoid) return "sigmoid";
  return nullptr;
}

sm90a::WeightShape weight_shape(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  return {1, w[0], w[1]};
}
int64_t packed_bytes(const OpCall& call) {
  return weight_shape(call).bytes();
}
void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  sm90a::pack_weight(weight_shape(call), call.in[kX].dtype, call.in[kWeight].f32(), packed, pool);
}

// Rows come from an unknown number of images, and the sum must not depend on it: cut as if one image had this many
// rows, the boxes of a detector.
constexpr int64_t kRowsOfAnImage = 1000;

GemmShape gemm_shape(const OpCall& call) {
  const sm90a::WeightShape weight = weight_shape(call);
  return {kRowsOfAnImage, call.in[kX].shape[0], weight.columns, weight.depth()};
}
int64_t scratch_bytes(const OpCall& call, int multiprocessors) {
  return sm90a::partial_bytes(gemm_shape(call), multiprocessors);
}

void run(const OpCall& call, const RunContext& context) {
  const Tensor &x = call.in[kX], &y = call.out[0];
  const int64_t rows = x.shape[0], k = call.in[kWeight].shape[0];
  if (rows == 0) return;
  sm90a::GemmProblem problem{
      .type = x.dtype, .weight = weight_shape(call), .packed = context.packed, .shape = gemm_shape(call), .params = {}};
  sm90a::GemmParams<1>& p = problem.params;
  p.work.images = device_rows(x);
  p.work.pixels[0] = 1;
  p.target[0] = {.y = y.data, .residual = nullptr, .pixels = 1, .width = 1, .halved = false};
  p.epilogue = sm90a::gemm_epilogue(call.has(kBias) ? &call.in[kBias] : nullptr, call.as<LinearParams>().activation, y);
  p.kernel_w = 1;
  const auto map = make_tile_map({.dtype = x.dtype,
                                  .base = x.data,
                                  .dims = {k, rows},
                                  .strides = {k * size_of(x.dtype)},
                                  .box = {sm90a::kChunk, sm90a::kTileRows},
                                  .swizzle = ptx::Swizzle::bytes128});
  x.dtype == DType::f16 ? sm90a::launch_gemm<f16>(problem, map, context)
                        : sm90a::launch_gemm<bf16>(problem, map, context);
}

}  // namespace

extern const Kernel linear_wgmma_sm90a;
const Kernel linear_wgmma_sm90a = {
    .rejects = rejects, .run = run, .scratch_bytes = scratch_bytes, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
