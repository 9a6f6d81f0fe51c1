// cuda_device_none.cpp - a build without CUDA refuses every card.
#include "kernels/base/cuda_device.h"

namespace spinert {

Result<std::unique_ptr<CudaDevice>> CudaDevice::open(int index) {
  return error(ErrorId::E_DEVICE, "this build has no CUDA backend", "cuda:" + std::to_string(index))
      .hint("Use --device cpu, or build with the CUDA toolkit 12.4 or newer.");
}

}  // namespace spinert
