// linear_direct_sm80.cu - linear with one thread per output: what the matrix products refuse
// Layout   x [R][K], any K and type; weight as it is, [K][O] f32; y [R][O]
// Tile     1 output a thread, 256 threads a block; neighbouring threads share a row and read neighbouring weights
// Work     K fmaf, K loads of x (one value for a whole warp), K of the weight
// Bound    loads: both networks take it nowhere
// Measured not yet: no card was available
// Rejects  nothing
// Numerics one fused f32 chain per output in the order of k, weights in f32; same bytes for every batch
// Tried    nothing else
#include "kernels/base/epilogue.cuh"
#include "kernels/linear/linear_cuda.h"

namespace spinert {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMostBlocks = 65536;

template <class T>
__global__ void __launch_bounds__(kThreads)
    linear_direct_kernel(const T* x, const float* weight, CardEpilogue epilogue, DeviceRows rows, int64_t depth) {
  ptx::grid_dependency_wait();
  const int64_t columns = epilogue.columns, outputs = rows.get() * columns;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < outputs; i += int64_t{gridDim.x} * kThreads) {
    const int64_t row = i / columns, column = i - row * columns;
    float sum = 0.0f;
    for (int64_t k = 0; k < depth; ++k) {
      sum = fmaf(ptx::to_float(x[row * depth + k]), weight[k * columns + column], sum);
    }
    finish_one<T>(epilogue, row, static_cast<int>(column), sum);
  }
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const int64_t blocks = std::min((call.out[0].elements() + kThreads - 1) / kThreads, kMostBlocks);
  launch(context, {.grid_x = blocks, .block = kThreads}, linear_direct_kernel<T>, call.in[0].as<T>(),
         call.in[kPackedInput].f32(), linear_cuda_call(call).epilogue, device_rows(call.in[0]),
         call.in[kPackedInput].shape[0]);
}

void run(const OpCall& call, const RunContext& context) {
  switch (call.in[0].dtype) {
    case DType::f16: return run_typed<f16>(call, context);
    case DType::bf16: return run_typed<bf16>(call, context);
    default: return run_typed<float>(call, context);
  }
}

}  // namespace

extern const Kernel linear_direct_sm80;
const Kernel linear_direct_sm80 = {.run = run};

}  // namespace spinert
