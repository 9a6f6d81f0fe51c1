// Every kernel of the cuda backend, compiled for the host and run on fibers, against the reference on every case of its
// operator: in f32, and where the operator takes them in f16 and bf16.
#include <gtest/gtest.h>

#include "tests/ops/op_case.h"

namespace spinert {
namespace {

class EmulatedKernel : public testing::TestWithParam<const KernelInfo*> {};

TEST_P(EmulatedKernel, AgreesWithReference) {
  const KernelInfo& kernel = *GetParam();
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().to_string();
  ThreadPool alone(1);
  const cases::OpSuite& suite = cases::suite(kernel.op);
  int run = 0, refused = 0;
  for (const std::string& line : suite.cases) {
    for (const char* type : {"", " dtype=f16", " dtype=bf16"}) {
      if (*type && !suite.half) continue;
      const cases::CaseResult result = cases::check_case(line + type, kernel, alone, device.value().get());
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

INSTANTIATE_TEST_SUITE_P(Registry, EmulatedKernel, testing::ValuesIn(cuda_rows()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace spinert
