// cuda_case.h - one operator case with everything of it in device memory, ready to run once or many times.
#pragma once

#include <vector>

#include "tests/ops/op_case.h"

namespace spinert::cases {

class CudaCase {
 public:
  // Copies inputs, packed weights and scratch memory of a case that the kernel accepts; outputs are poisoned. Work is
  // enqueued on the device's stream. E_OOM_DEVICE if it does not fit.
  static Result<CudaCase> bind(const KernelInfo& kernel, const PreparedCase& prepared, CudaDevice& device);
  CudaCase(CudaCase&& other) noexcept;
  CudaCase& operator=(CudaCase&&) = delete;
  ~CudaCase();

  // Enqueues the kernel's launches.
  void run();
  // Copies outputs and inputs back into the case, outputs with their guard bands. Ordered behind run(); the data is
  // there after the stream's synchronize().
  void download(PreparedCase& prepared) const;

 private:
  CudaCase(const Kernel& kernel, CudaDevice& device) : kernel_(kernel), device_(device) {}
  Result<void*> copy(const void* from, int64_t bytes);

  const Kernel& kernel_;
  CudaDevice& device_;
  std::vector<void*> blocks_;
  std::vector<Tensor> in_, out_;
  size_t operator_inputs_ = 0;  // without those that only hold counts
  const void* params_ = nullptr;
  RunContext context_;
};

}  // namespace spinert::cases
