// cuda_rows.cpp - the rows of the cuda backend. Compiled into a program only together with the kernels: those of the
// card, or the same sources under emulation in the tests. Without CUDA, kernels/cuda_rows_none.cpp takes its place.
#include "kernels/registry.h"

namespace spinert {

#define SPINERT_REGISTRY_ROWS
#define OP(name, Params, source)
#define KERNEL(op, backend, level, symbol) SPINERT_DECLARE_##backend(symbol)
#define SPINERT_DECLARE_cpu(symbol)
#define SPINERT_DECLARE_reference(symbol)
#define SPINERT_DECLARE_cuda(symbol) extern const Kernel symbol;
#include "kernels/registry.def"
#undef KERNEL

std::span<const KernelInfo> cuda_kernels() {
  static const KernelInfo kRows[] = {
#define KERNEL(op, backend, level, symbol) SPINERT_ROW_##backend(op, backend, level, symbol)
#define SPINERT_ROW_cpu(op, backend, level, symbol)
#define SPINERT_ROW_reference(op, backend, level, symbol)
#define SPINERT_ROW_cuda(op, backend, level, symbol) {OpId::op, Backend::backend, Level::level, #symbol, &symbol},
#include "kernels/registry.def"
#undef KERNEL
#undef OP
  };
  return kRows;
}

}  // namespace spinert
