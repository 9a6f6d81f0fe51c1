// conv2d_ffma_sm80.cu - conv2d in f32 as an implicit matrix product of fused multiply-adds (igemm_f32_sm80.cu)
// Layout   x NHWC f32, C % 4 == 0; weight as it is, [kh][kw][C][O]; y and residual NHWC
// Tile     128 pixels x 64 output channels by 128 threads of 8x8, k in steps of 16
// Work     fpn+rpn.0 (3x3, 256 -> 256, 256x256): 38.7 GMAC each
// Bound    FFMA: 77.3 GFLOP of fpn.0 at 60 TFLOP/s of f32 1.3 ms
// Measured not yet: no card was available
// Rejects  half types; groups != 1; C % 4 != 0; 2^31 output pixels
// Numerics one fused chain per output in the order (tap, channel); same bytes for every batch
// Tried    nothing else: it is the path for verification
#include "kernels/base/cuda.cuh"
#include "kernels/conv2d/conv2d_cuda.h"

namespace spinert {
namespace {

const char* rejects(const OpCall& call) {
  if (call.in[0].dtype != DType::f32) return "half activations";
  if (call.as<Conv2dParams>().groups != 1) return "groups != 1";
  if (call.in[0].shape[3] % 4 != 0) return "channels not a multiple of 4";
  return conv2d_cuda_rejects(call);
}

void run(const OpCall& call, const RunContext& context) {
  igemm_f32(conv2d_cuda_call(call), call.in[kPackedInput].f32(), context);
}

}  // namespace

extern const Kernel conv2d_ffma_sm80;
const Kernel conv2d_ffma_sm80 = {.rejects = rejects, .run = run};

}  // namespace spinert
