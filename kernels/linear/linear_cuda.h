// linear_cuda.h - one call of linear taken apart for the cuda kernels: a 1x1 kernel over 1x1 images. Shapes only.
#pragma once

#include "kernels/base/igemm_cuda.h"
#include "kernels/linear/linear.h"

namespace spinert {

CudaIgemm linear_cuda_call(const OpCall& call);

}  // namespace spinert
