// Every kernel of the cuda backend against the reference on every case of its operator: in f32, and where the operator
// takes them in f16 and bf16. Built twice: cuda_emulated_ops runs the kernels on fibers, cuda_card_ops on a card.
#include <gtest/gtest.h>

#include "tests/ops/op_case.h"
#if defined(SPINERT_EMULATE_CUDA)
#include "kernels/base/emulation/fibers.h"
#endif

namespace spinert {
namespace {

class CudaKernel : public testing::TestWithParam<const KernelInfo*> {};

TEST_P(CudaKernel, AgreesWithReference) {
  const KernelInfo& kernel = *GetParam();
  auto device = CudaDevice::open(0);
#if defined(SPINERT_EMULATE_CUDA)
  ASSERT_TRUE(device.ok()) << device.status().to_string();
#else
  if (!device.ok()) GTEST_SKIP() << "no card: the same cases run under emulation in cuda_emulated_ops";
  if (kernel.level > device.value()->card().level()) GTEST_SKIP() << "this card has no " << level_name(kernel.level);
#endif
  static cases::ReferenceRuns runs;  // rows of one operator follow each other
  ThreadPool alone(1);
  const cases::OpSuite& suite = cases::suite(kernel.op);
  int run = 0, refused = 0;
  for (const std::string& line : suite.cases) {
    for (const char* type : {"", " dtype=f16", " dtype=bf16"}) {
      if (*type && !suite.in_half(line)) continue;
#if defined(SPINERT_EMULATE_CUDA)
      // Another order of blocks and threads for every case.
      emulation::set_seed(static_cast<uint64_t>(run + refused));
#endif
      const cases::CaseResult result =
          cases::check_case(line + type, kernel, alone, device.value().get(), Backend::reference, &runs);
      EXPECT_TRUE(result.status.ok()) << result.status.to_string();
      ++(result.skipped ? refused : run);
    }
  }
  EXPECT_GT(run, 0) << "no case reaches " << kernel.name;
  RecordProperty("cases_run", run);
  RecordProperty("cases_refused", refused);
}

std::vector<const KernelInfo*> cuda_rows() {
  std::vector<const KernelInfo*> rows;
  for (const KernelInfo& kernel : cuda_kernels()) rows.push_back(&kernel);
  return rows;
}

INSTANTIATE_TEST_SUITE_P(Registry, CudaKernel, testing::ValuesIn(cuda_rows()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace spinert
