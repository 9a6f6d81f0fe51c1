// linear_igemm_sm80.cu - linear in f16 and bf16 as a matrix product on mma.sync (igemm_half_sm80.cu)
// Layout   x [R][K], K % 8 == 0; weight packed as [step of 32 k][O][32]; y [R][O]
// Tile     128x128, 128x64 or 64x64 rows x output features, k in steps of 32; chosen by choose_tile
// Work     fc6 (1000 rows, 12544 -> 1024): 12.8 GMAC, 52.8 MB; fc7 (1024 -> 1024): 1.05 GMAC, 6.2 MB
// Bound    roofline of an H200 at 790 TFLOP/s and 4.3 TB/s: fc6 32.5 us (tensor cores), fc7 2.7 us
// Measured not yet: no card was available; choose_tile predicts for fc6 106,000 clocks of 132 multiprocessors, 90 % of
//          the 1024 multiply-adds per clock that it assumes for mma.sync
// Rejects  f32; K % 8 != 0; 2^31 rows
// Numerics f32 sums in the order of k, cut into segments that depend on K, O and the card alone: one row has the same
//          bytes in every batch
// Tried    nothing else yet
#include "kernels/base/cuda.cuh"
#include "kernels/linear/linear_cuda.h"

namespace spinert {
namespace {

const char* rejects(const OpCall& call) {
  if (!is_half(call.in[0].dtype)) return "f32 activations";
  const Shape& w = call.in[kPackedInput].shape;
  if (w[0] % 8 != 0) return "row length not a multiple of 8";
  return igemm_cuda_rejects(call.in[0].shape[0], w[0]);
}

int64_t packed_bytes(const OpCall& call) {
  const Shape& w = call.in[kPackedInput].shape;
  return igemm_half_packed_bytes(w[0], w[1]);
}

void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  const Shape& w = call.in[kPackedInput].shape;
  igemm_half_pack(call.in[kPackedInput].f32(), w[0], w[1], call.in[0].dtype, packed, pool);
}

int64_t scratch_bytes(const OpCall& call, int multiprocessors) {
  return igemm_half_scratch_bytes(linear_cuda_call(call), multiprocessors);
}

void run(const OpCall& call, const RunContext& context) {
  igemm_half(linear_cuda_call(call), context);
}

}  // namespace

extern const Kernel linear_igemm_sm80;
const Kernel linear_igemm_sm80 = {
    .rejects = rejects, .run = run, .scratch_bytes = scratch_bytes, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
