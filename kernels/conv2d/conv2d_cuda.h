// conv2d_cuda.h - one call of conv2d taken apart for the cuda kernels. Shapes only: data may be null.
#pragma once

#include "kernels/base/igemm_cuda.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {

CudaIgemm conv2d_cuda_call(const OpCall& call);

// Null, or why no kernel with 32-bit pixel numbers takes the call.
const char* conv2d_cuda_rejects(const OpCall& call);

}  // namespace spinert
