// conv2d_wgmma_sm90a.cu - backend cuda, level sm90a: conv2d as an implicit matrix product, TMA im2col and wgmma.
//
// Layout    x NHWC halves, C a multiple of 64; weight packed [tap][O padded to 32, permuted][C] halves; y NHWC
// Tile      128 pixels x 64, 128 or 256 channels, 64 k a step; a ring of 192 KiB, two warpgroups that multiply
// Work      a step of a tile of 128 x 256: 8 wgmma m64n256k16 = 1024 cycles of the tensor cores, 48 KiB by TMA
// Bound     tensor cores: 77.3 GFLOP of fpn.0 (3x3, 256 -> 256, 256x256) at 790 TFLOP/s = 98 us; its 68 MB at
//           4.3 TB/s take 16 us
// Measured  not yet: no card was available; predicted for an H200: the 512 tiles of fpn.0 keep 132 multiprocessors busy
//           for 4 rounds, of which 3.88 are used, and about 5 % go to first loads and the last store: 106 us, if the
//           second-level cache gives the 9 TB/s that this takes. layer1 (3x3, 64 -> 64, 6.1 us by FLOP) is held by
//           shared memory: a wgmma of 64 columns reads 4 KiB in 32 cycles, all there is
// Rejects   f32; C % 64 != 0; O % 8 != 0; groups; corners, dilated kernels and strides beyond those of im2col; sigmoid;
//           an output that is neither of the type of x nor f32
// Numerics  f32 sums in the order (tap, channel), 16 k at a time; where one image has few tiles the sum is cut into at
//           most 8 segments, added in order. The shape of one image decides: same bytes for every count and batch
// Tried     nothing else. Worth trying first: clusters of two blocks that share the weight by multicast; pixels as the
//           columns of the product where O = 64
#include "kernels/base/gemm_launch_sm90a.cuh"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias, kResidual };

// im2col of four dimensions keeps corners in 8 bits with sign, offsets of taps in 8 bits without; steps end at 8.
constexpr int64_t kLeastCorner = -128, kMostCorner = 127, kMostOffset = 255, kMostStride = 8;

const char* rejects(const OpCall& call) {
  const auto& params = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const DType type = call.in[kX].dtype, output = call.out[0].dtype;
  if (!is_half(type)) return "needs f16 or bf16";
  if (output != type && output != DType::f32) return "output of the other half type";
  if (params.groups != 1) return "groups";
  if (s.in_c % sm90a::kChunk != 0) return "input channels not a multiple of 64";
  if (s.out_c % sm90a::kEight != 0) return "output channels not a multiple of 8";
  if (params.activation == Activation::sigmoid) return "sigmoid";
  const int64_t span = params.dilation * (std::max(s.kernel_h, s.kernel_w) - 1);
  if (params.stride > kMostStride || span > kMostOffset || -params.padding < kLeastCorner ||
      params.padding > kMostCorner || params.padding - span < kLeastCorner) {
    return "beyond the limits of im2col";
  }
  return nullptr;
}

sm90a::WeightShape weight_shape(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  return {w[0] * w[1], w[2], w[3]};
}
int64_t packed_bytes(const OpCall& call) {
  return weight_shape(call).bytes();
}
void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  sm90a::pack_weight(weight_shape(call), call.in[kX].dtype, call.in[kWeight].f32(), packed, pool);
}

GemmShape gemm_shape(const OpCall& call) {
  const Conv2dShape s = conv2d_shape(call);
  return {s.out_h * s.out_w, s.batch * s.out_h * s.out_w, s.out_c, weight_shape(call).depth()};
}
int64_t scratch_bytes(const OpCall& call, int multiprocessors) {
  return sm90a::partial_bytes(gemm_shape(call), multiprocessors);
}

// A 1x1 kernel with stride 1 needs no pixels: rows of x as they lie.
bool plain(const Conv2dParams& params, const Conv2dShape& s) {
  return s.kernel_h == 1 && s.kernel_w == 1 && params.stride == 1 && params.padding == 0;
}

Result<ptx::TensorMap> map_of_pixels(const Tensor& x, const Conv2dParams& params, const Conv2dShape& s) {
  const int64_t pixel = s.in_c * size_of(x.dtype);
  if (plain(params, s)) {
    return make_tile_map({.dtype = x.dtype,
                          .base = x.data,
                          .dims = {s.in_c, s.batch * s.in_h * s.in_w},
                          .strides = {pixel},
                          .box = {sm90a::kChunk, sm90a::kTileRows},
                          .swizzle = ptx::Swizzle::bytes128});
  }
  const int pad = static_cast<int>(params.padding), step = static_cast<int>(params.stride);
  const int span_w = static_cast<int>(params.dilation * (s.kernel_w - 1));
  const int span_h = static_cast<int>(params.dilation * (s.kernel_h - 1));
  return make_im2col_map({.dtype = x.dtype,
                          .base = x.data,
                          .dims = {s.in_c, s.in_w, s.in_h, s.batch},
                          .strides = {pixel, pixel * s.in_w, pixel * s.in_w * s.in_h},
                          .lower = {-pad, -pad},
                          .upper = {pad - span_w, pad - span_h},
                          .steps = {step, step},
                          .channels = sm90a::kChunk,
                          .pixels = sm90a::kTileRows,
                          .swizzle = ptx::Swizzle::bytes128});
}

void run(const OpCall& call, const RunContext& context) {
  const auto& params = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  if (s.batch == 0) return;
  const Tensor &x = call.in[kX], &y = call.out[0];
  const int pixels = static_cast<int>(s.out_h * s.out_w);
  sm90a::GemmProblem problem{
      .type = x.dtype, .weight = weight_shape(call), .packed = context.packed, .shape = gemm_shape(call), .params = {}};
  sm90a::GemmParams<1>& p = problem.params;
  p.work.images = device_rows(x);
  p.work.pixels[0] = pixels;
  p.target[0] = {y.data, call.has(kResidual) ? call.in[kResidual].data : nullptr, pixels, static_cast<int>(s.out_w),
                 params.residual_upsample == 2};
  p.epilogue = sm90a::gemm_epilogue(call.has(kBias) ? &call.in[kBias] : nullptr, params.activation, y);
  p.im2col = !plain(params, s);
  p.kernel_w = static_cast<int>(s.kernel_w);
  p.stride = static_cast<int>(params.stride);
  p.padding = static_cast<int>(params.padding);
  p.dilation = static_cast<int>(params.dilation);
  const auto map = map_of_pixels(x, params, s);
  x.dtype == DType::f16 ? sm90a::launch_gemm<f16>(problem, map, context)
                        : sm90a::launch_gemm<bf16>(problem, map, context);
}

}  // namespace

extern const Kernel conv2d_wgmma_sm90a;
const Kernel conv2d_wgmma_sm90a = {
    .rejects = rejects, .run = run, .scratch_bytes = scratch_bytes, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
