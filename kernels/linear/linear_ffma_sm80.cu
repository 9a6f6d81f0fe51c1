// linear_ffma_sm80.cu - linear in f32 as a matrix product of fused multiply-adds (igemm_f32_sm80.cu)
// Layout   x [R][K] f32, K % 4 == 0; weight as it is, [K][O]; y [R][O]
// Tile     128 rows x 64 columns by 128 threads of 8x8, k in steps of 16
// Work     fc6 (1000 rows, 12544 -> 1024): 12.8 GMAC, 106 MB
// Bound    FFMA: 25.7 GFLOP of fc6 at 60 TFLOP/s of f32 0.43 ms
// Measured not yet: no card was available
// Rejects  half types; K % 4 != 0; 2^31 rows
// Numerics one fused chain per output in the order of k; same bytes for every batch
// Tried    nothing else: it is the path for verification
#include "kernels/base/cuda.cuh"
#include "kernels/linear/linear_cuda.h"

namespace spinert {
namespace {

const char* rejects(const OpCall& call) {
  if (call.in[0].dtype != DType::f32) return "half activations";
  const int64_t depth = call.in[kPackedInput].shape[0];
  if (depth % 4 != 0) return "row length not a multiple of 4";
  return igemm_cuda_rejects(call.in[0].shape[0], depth);
}

void run(const OpCall& call, const RunContext& context) {
  igemm_f32(linear_cuda_call(call), call.in[kPackedInput].f32(), context);
}

}  // namespace

extern const Kernel linear_ffma_sm80;
const Kernel linear_ffma_sm80 = {.rejects = rejects, .run = run};

}  // namespace spinert
