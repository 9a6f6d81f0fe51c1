// `spinert verify` must find what it exists to find: the sound backend passes on every level, and each planted error (a
// dropped tap, two swapped channels, a shifted pixel, a missing bias) is refused with E_VERIFY, exit code 12, and the
// name of the node. The errors sit in one convolution only, the first 3x3 with stride 2.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "diagnosis/verify.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/registry.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

constexpr const char* kBrokenNode = "body.layer2.0.conv1";

constexpr const char* kFpn = "fasterrcnn_reduced_fpn";

VerifyReport run_verify(const std::vector<std::string>& levels, const std::string& detector = kFpn) {
  static std::map<std::string, std::string> models;
  if (!models.contains(detector)) {
    auto made = reduced::make(testing::TempDir() + "/spinert_test_verify_" + detector,
                              detector.ends_with("_fpn") ? reduced::kSeed : reduced::kOneMapSeed,
                              reduced::config_text(detector));
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    models[detector] = made.value();
  }
  VerifyOptions options;
  options.model = models[detector];
  options.levels = levels;
  options.threads = 2;
  const NamedPicture input{"slice", reduced::picture(120, 100, 3)};
  auto report = verify(options, {&input, 1});
  EXPECT_TRUE(report.ok()) << report.status().to_string();
  return report.ok() ? report.value() : VerifyReport{};
}

const KernelInfo& sound_conv() {
  for (const KernelInfo& row : all_kernels()) {
    if (std::string(row.name) == "conv2d_direct_scalar") return row;
  }
  return all_kernels().front();
}

const char* only_the_broken_node(const OpCall& call) {
  const bool here = call.as<Conv2dParams>().stride == 2 && call.in[1].shape[0] == 3;
  return here ? nullptr : "another convolution";
}

void dropped_tap(const OpCall& call, const RunContext& context) {
  std::vector<float> weight(call.in[1].f32(), call.in[1].f32() + call.in[1].elements());
  const int64_t tap = call.in[1].shape[2] * call.in[1].shape[3];
  std::fill(weight.begin() + 4 * tap, weight.begin() + 5 * tap, 0.0f);
  std::vector<Tensor> in(call.in.begin(), call.in.end());
  in[1].data = weight.data();
  sound_conv().kernel->run({call.params, in, call.out}, context);
}

void swapped_channels(const OpCall& call, const RunContext& context) {
  sound_conv().kernel->run(call, context);
  const int64_t channels = call.out[0].shape[3];
  for (int64_t i = 0; i < call.out[0].elements(); i += channels)
    std::swap(call.out[0].f32()[i], call.out[0].f32()[i + 1]);
}

void shifted_pixel(const OpCall& call, const RunContext& context) {
  sound_conv().kernel->run(call, context);
  const Tensor& y = call.out[0];
  std::memmove(y.f32() + y.shape[3], y.f32(), static_cast<size_t>(y.elements() - y.shape[3]) * sizeof(float));
}

void missing_bias(const OpCall& call, const RunContext& context) {
  std::vector<Tensor> in(call.in.begin(), call.in.end());
  in[2] = Tensor{};
  sound_conv().kernel->run({call.params, in, call.out}, context);
}

TEST(Verify, SoundBackendPassesOnEveryLevel) {
  std::vector<std::string> levels;
  for (const Level level : {Level::scalar, Level::avx2, Level::avx512}) {
    if (level <= cpu_features().best) levels.emplace_back(level_name(level));
  }
  for (const char* detector : {kFpn, "fasterrcnn_reduced_c5", "fasterrcnn_reduced_mobilenet"}) {
    SCOPED_TRACE(detector);
    const VerifyReport report = run_verify(levels, detector);
    ASSERT_EQ(report.levels.size(), levels.size());
    for (const LevelReport& level : report.levels) {
      EXPECT_TRUE(level.breach.ok()) << level.level << ": " << level.breach.to_string();
      EXPECT_GT(level.nodes.size(), 40u);
      EXPECT_GT(level.global.vertebrae, 0);
      for (const NodeCheck& node : level.nodes) EXPECT_GT(node.compared + 1, 0) << node.node;
    }
    EXPECT_TRUE(report.ok());
  }
}

struct Plant {
  const char* name;
  void (*run)(const OpCall&, const RunContext&);
};
void PrintTo(const Plant& plant, std::ostream* out) {
  *out << plant.name;
}

class PlantedError : public testing::TestWithParam<Plant> {};

TEST_P(PlantedError, IsFoundAndTheNodeIsNamed) {
  const Kernel broken = {.rejects = only_the_broken_node, .run = GetParam().run};
  const KernelInfo row{OpId::conv2d, Backend::cpu, Level::scalar, GetParam().name, &broken};
  plant_kernel_for_tests(&row);
  const VerifyReport report = run_verify({"scalar"});
  clear_planted_kernels_for_tests();
  ASSERT_EQ(report.levels.size(), 1u);
  const Status& breach = report.levels[0].breach;
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(breach.id(), ErrorId::E_VERIFY);
  EXPECT_EQ(exit_code(breach.id()), 12);
  EXPECT_NE(breach.to_string().find(kBrokenNode), std::string::npos) << breach.to_string();
}

INSTANTIATE_TEST_SUITE_P(Errors, PlantedError,
                         testing::Values(Plant{"dropped_tap", dropped_tap}, Plant{"swapped_channels", swapped_channels},
                                         Plant{"shifted_pixel", shifted_pixel}, Plant{"missing_bias", missing_bias}),
                         [](const auto& plant) { return std::string(plant.param.name); });

}  // namespace
}  // namespace spinert
