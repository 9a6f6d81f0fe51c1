// Every kernel row of the registry against the reference, on every case of its operator. Levels that this machine lacks
// are counted as skipped, never passed over in silence.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/ops/op_case.h"

namespace spinert {
namespace {

struct Row {
  const KernelInfo* kernel;
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.kernel->name;
}

// Every case of the operator, and again with bf16 activations where the row may take them.
std::vector<std::string> lines(const KernelInfo& kernel) {
  const cases::OpSuite& suite = cases::suite(kernel.op);
  std::vector<std::string> all = suite.cases;
  if (suite.half && (kernel.kernel->also_takes & kTakesBf16)) {
    for (const std::string& text : suite.cases) {
      if (suite.in_half(text)) all.push_back(text + " dtype=bf16");
    }
  }
  return all;
}

class KernelCases : public testing::TestWithParam<Row> {};

TEST_P(KernelCases, AgreesWithReference) {
  const KernelInfo& kernel = *GetParam().kernel;
  if (kernel.backend == Backend::cpu && kernel.level > cpu_features().best) {
    GTEST_SKIP() << "this machine has no " << level_name(kernel.level);
  }
  static cases::ReferenceRuns runs;  // rows of one operator follow each other
  int refused = 0, run = 0;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    for (const std::string& line : lines(kernel)) {
      const cases::CaseResult result = cases::check_case(line, kernel, pool, nullptr, Backend::reference, &runs);
      EXPECT_TRUE(result.status.ok()) << result.status.to_string() << " threads=" << threads;
      ++(result.skipped ? refused : run);
    }
  }
  EXPECT_GT(run, 0) << "no case reaches " << kernel.name;
  RecordProperty("cases_run", run);
  RecordProperty("cases_refused", refused);
}

std::vector<Row> fast_rows() {
  std::vector<Row> rows;
  for (const KernelInfo& kernel : all_kernels()) {
    if (kernel.backend == Backend::cpu) rows.push_back({&kernel});
  }
  return rows;
}

// No call may fall through: with --isa scalar some row of the cpu backend takes every case of every operator, in f32
// and in bf16; f16 is for cards alone. The reference is f32.
TEST(Registry, ScalarTakesEveryCase) {
  for (const OpInfo& op : all_ops()) {
    for (const std::string& text : cases::suite(op.id).cases) {
      for (const char* type : {"", " dtype=bf16"}) {
        if (*type && !cases::suite(op.id).in_half(text)) continue;
        auto line = cases::CaseLine::parse(text + type);
        ASSERT_TRUE(line.ok()) << line.status().to_string();
        auto prepared = cases::prepare(line.value());
        ASSERT_TRUE(prepared.ok()) << prepared.status().to_string();
        const OpCall call = prepared.value().call();
        const auto is = [&](DType type_asked) {
          const auto same = [&](const Tensor& tensor) { return tensor.dtype == type_asked; };
          return std::ranges::any_of(call.in, same) || std::ranges::any_of(call.out, same);
        };
        if (is(DType::f16)) continue;
        EXPECT_NE(choose_kernel(op.id, Backend::cpu, Level::scalar, call), nullptr) << text << type;
        if (is(DType::bf16)) continue;
        EXPECT_NE(choose_kernel(op.id, Backend::reference, Level::any, call), nullptr) << text;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, KernelCases, testing::ValuesIn(fast_rows()),
                         [](const auto& row) { return std::string(row.param.kernel->name); });

}  // namespace
}  // namespace spinert
