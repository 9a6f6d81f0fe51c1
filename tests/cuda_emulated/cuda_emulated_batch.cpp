// One image gives the same bytes alone and in a batch, whatever tile, split or order of blocks a kernel chooses for it.
#include <gtest/gtest.h>

#include <cstring>

#include "kernels/base/emulation/fibers.h"
#include "kernels/base/wgmma_tiles.h"
#include "tests/ops/op_case.h"

namespace spinert {
namespace {

// Data depends on the index of a number alone, so that the first rows of a batch are the same image. Outputs in f32:
// rounding to halves would hide most changes in the order of a sum.
struct BatchCase {
  const char* line;
  const char* alone;
  const char* batch;
};
constexpr BatchCase kCases[] = {
    {"conv2d h=7 w=7 c=64 o=64 k=3 padding=1 data=real", "n=1", "n=11"},
    {"conv2d h=7 w=7 c=256 o=72 k=3 padding=1 data=real residual=1 activation=relu", "n=1", "n=9"},
    {"conv2d h=5 w=6 c=512 o=200 k=3 stride=2 padding=1 data=real bias=0", "n=1", "n=30"},
    {"conv2d h=7 w=5 c=24 o=24 groups=24 k=3 padding=1 data=real", "n=1", "n=7"},
    {"linear k=1560 o=80 data=real activation=relu", "r=3", "r=520"},
    {"linear k=192 o=136 data=real", "r=1", "r=300"},
    {"conv2d h=7 w=7 c=64 o=64 k=3 padding=1 data=real output=f32", "n=1", "n=11"},
    {"conv2d h=7 w=7 c=256 o=72 k=3 padding=1 data=real residual=1 output=f32", "n=1", "n=9"},
    {"conv2d h=5 w=6 c=512 o=72 k=3 stride=2 padding=1 data=real bias=0 output=f32", "n=1", "n=30"},
    {"conv2d h=9 w=9 c=16 o=16 k=3 padding=1 groups=16 data=real", "n=1", "n=3"},
    {"linear k=2312 o=80 data=real output=f32", "r=3", "r=500"},
    {"linear k=192 o=136 data=real output=f32", "r=1", "r=300"},
};

class BatchOf : public testing::TestWithParam<const KernelInfo*> {};

// seed: of the order of blocks and threads.
std::string bytes_of(const std::string& text, const KernelInfo& kernel, CudaDevice& device, uint64_t seed) {
  const auto line = cases::CaseLine::parse(text);
  auto prepared = cases::prepare(line.value());
  EXPECT_TRUE(prepared.ok()) << text;
  if (!prepared.ok()) return {};
  if (kernel.kernel->rejects && kernel.kernel->rejects(prepared.value().call())) return {};
  emulation::set_seed(seed);
  const Status status = cases::run_cuda_kernel(kernel, prepared.value(), device);
  EXPECT_TRUE(status.ok()) << text << ": " << status.to_string();
  const Tensor& y = prepared.value().out[0];
  return {static_cast<const char*>(y.data), static_cast<size_t>(y.bytes())};
}

TEST_P(BatchOf, OneIsTheSame) {
  const KernelInfo& kernel = *GetParam();
  auto device = CudaDevice::open(0);
  ASSERT_TRUE(device.ok()) << device.status().to_string();
  int compared = 0;
  for (const BatchCase& batch_case : kCases) {
    if (cases::CaseLine::parse(batch_case.line).value().op() != op_info(kernel.op).name) continue;
    for (const char* type : {"", " dtype=f16"}) {
      const std::string text = std::string(batch_case.line) + type + " ";
      const std::string one = bytes_of(text + batch_case.alone, kernel, *device.value(), 1);
      const std::string all = bytes_of(text + batch_case.batch, kernel, *device.value(), 2);
      ASSERT_LE(one.size(), all.size());
      EXPECT_EQ(0, std::memcmp(one.data(), all.data(), one.size())) << text;
      compared += !one.empty();
    }
  }
  emulation::set_seed(0);
  EXPECT_GT(compared, 0) << "no case reaches " << kernel.name;
}

std::vector<const KernelInfo*> products() {
  std::vector<const KernelInfo*> rows;
  for (const KernelInfo& kernel : cuda_kernels()) {
    if (kernel.op == OpId::conv2d || kernel.op == OpId::linear) rows.push_back(&kernel);
  }
  return rows;
}

// Layers of the two networks on a card of 132 multiprocessors.
TEST(HopperPlan, LayersOfTheNetworks) {
  struct Layer {
    const char* name;
    GemmShape shape;
    sm90a::GemmPlan plan;
  };
  const Layer layers[] = {
      {"fpn.0", {65536, 65536, 256, 2304}, {.tile_columns = 256}},
      {"fpn.1", {16384, 16384, 256, 2304}, {.tile_columns = 256}},
      {"body.layer1", {65536, 65536, 64, 576}, {.tile_columns = 64}},
      {"body.layer3", {4096, 4096, 256, 2304}, {}},
      {"body.layer4", {1024, 1024, 512, 4608}, {.segments = 4, .side_by_side = true}},
      {"head.fc6", {1000, 1000, 1024, 12544}, {.segments = 2, .side_by_side = true}},
      {"layer4.conv2 of 1 patch", {49, 49, 512, 4608}, {.segments = 6, .side_by_side = true}},
      {"layer4.conv2 of 64 patches", {49, 64 * 49, 512, 4608}, {.segments = 6, .side_by_side = false}},
  };
  for (const Layer& layer : layers) {
    const sm90a::GemmPlan plan = sm90a::gemm_plan(layer.shape, 132);
    EXPECT_EQ(plan.tile_columns, layer.plan.tile_columns) << layer.name;
    EXPECT_EQ(plan.segments, layer.plan.segments) << layer.name;
    EXPECT_EQ(plan.side_by_side, layer.plan.side_by_side) << layer.name;
  }
}

// What decides the order of a sum follows from one image; the card and the batch choose only where it is computed.
TEST(HopperPlan, SegmentsFollowOneImage) {
  for (const int64_t rows : {1, 49, 196, 1000, 4096}) {
    for (const int64_t columns : {72, 256, 512, 2048}) {
      for (const int64_t depth : {576, 2304, 4608, 12544}) {
        const sm90a::GemmPlan one = sm90a::gemm_plan({rows, rows, columns, depth}, 132);
        for (const int batch : {2, 17, 136}) {
          for (const int multiprocessors : {4, 114, 132}) {
            const sm90a::GemmPlan plan = sm90a::gemm_plan({rows, batch * rows, columns, depth}, multiprocessors);
            EXPECT_EQ(plan.segments, one.segments) << rows << ' ' << columns << ' ' << depth << ' ' << batch;
            EXPECT_EQ(plan.tile_columns, one.tile_columns) << rows << ' ' << columns << ' ' << depth << ' ' << batch;
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, BatchOf, testing::ValuesIn(products()),
                         [](const auto& row) { return std::string(row.param->name); });

}  // namespace
}  // namespace spinert
