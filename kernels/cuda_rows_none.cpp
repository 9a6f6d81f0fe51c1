// cuda_rows_none.cpp - a build without CUDA has no kernels for it.
#include "kernels/registry.h"

namespace spinert {

std::span<const KernelInfo> cuda_kernels() {
  return {};
}

}  // namespace spinert
