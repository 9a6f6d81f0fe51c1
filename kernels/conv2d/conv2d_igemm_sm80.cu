// conv2d_igemm_sm80.cu - conv2d in f16 and bf16 as an implicit matrix product on mma.sync (igemm_half_sm80.cu)
// Layout   x NHWC, C % 8 == 0; weight packed as [step of 32 (tap, channel)][O][32]; y and residual NHWC
// Tile     128x128, 128x64 or 64x64 pixels x output channels, k in steps of 32; chosen by choose_tile
// Work     157 GMAC of the detector lack only the stem here; 38.7 of them are fpn.0 and as many its RPN convolution
// Bound    of the detector's shapes on an H200 (roofline at 790 TFLOP/s and 4.3 TB/s): fpn+rpn.0 98 us each, layer1 to
//          layer4 3x3 6.1 us each, fpn.lateral.0 17.6 us (75.5 MB)
// Measured not yet: no card was available; choose_tile predicts for fpn+rpn.0 301,000 clocks of 132 multiprocessors,
//          95 % of the 1024 multiply-adds per clock that it assumes for mma.sync
// Rejects  f32; groups != 1; C % 8 != 0; 2^31 output pixels
// Numerics f32 sums in the order (tap, channel), cut into segments that depend on the shape of one image and the card
//          alone; same bytes for every batch and count. A weight or input that is not finite spreads through zero
//          padding
// Tried    nothing else yet
#include "kernels/base/cuda.cuh"
#include "kernels/conv2d/conv2d_cuda.h"

namespace spinert {
namespace {

const char* rejects(const OpCall& call) {
  if (!is_half(call.in[0].dtype)) return "f32 activations";
  if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
  if (call.in[0].shape[3] % 8 != 0) return "channels not a multiple of 8";
  return conv2d_cuda_rejects(call);
}

int64_t packed_bytes(const OpCall& call) {
  const Shape& w = call.in[kPackedInput].shape;
  return igemm_half_packed_bytes(w[0] * w[1] * w[2], w[3]);
}

void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  const Shape& w = call.in[kPackedInput].shape;
  igemm_half_pack(call.in[kPackedInput].f32(), w[0] * w[1] * w[2], w[3], call.in[0].dtype, packed, pool);
}

int64_t scratch_bytes(const OpCall& call, int multiprocessors) {
  return igemm_half_scratch_bytes(conv2d_cuda_call(call), multiprocessors);
}

void run(const OpCall& call, const RunContext& context) {
  igemm_half(conv2d_cuda_call(call), context);
}

}  // namespace

extern const Kernel conv2d_igemm_sm80;
const Kernel conv2d_igemm_sm80 = {
    .rejects = rejects, .run = run, .scratch_bytes = scratch_bytes, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
