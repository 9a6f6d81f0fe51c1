#include "kernels/linear/linear_cuda.h"

namespace spinert {

CudaIgemm linear_cuda_call(const OpCall& call) {
  enum Input { kX, kWeight, kBias };
  const Shape& w = call.in[kWeight].shape;
  CudaIgemm igemm;
  igemm.x = call.in[kX];
  igemm.image.in_c = static_cast<int>(w[0]);
  igemm.epilogue = {.bias = call.has(kBias) ? call.in[kBias].f32() : nullptr,
                    .y = call.out[0].data,
                    .output = call.out[0].dtype,
                    .activation = call.as<LinearParams>().activation,
                    .columns = static_cast<int>(w[1])};
  return igemm;
}

}  // namespace spinert
