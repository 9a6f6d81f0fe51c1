// The demo model on the example slices against torchvision, stage by stage (tests/golden/README.md): the first stage
// that diverges is named, with the position and both values. Needs models/, examples/ and
// tests/golden/demo.golden.json.gz, which are part of the tree, and no Python.
#include <gtest/gtest.h>

#include "tests/support/golden_check.h"

namespace spinert {
namespace {

using nlohmann::json;

const std::string kTree = SPINERT_SOURCE_DIR;

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, EveryStageAgreesWithTorchvision) {
  const json document = golden::load(kTree + "/tests/golden/demo.golden.json.gz");
  ASSERT_TRUE(document.contains("slices"));
  auto opened = Pipeline::open(
      {.model = kTree + "/models/spine-demo.safetensors", .engine = {.device = "cpu", .isa = GetParam()}});
  if (!opened.ok() && opened.status().id() == ErrorId::E_DEVICE) GTEST_SKIP() << opened.status().message();
  ASSERT_TRUE(opened.ok()) << opened.status().to_string();
  Pipeline& pipeline = *opened.value();
  const auto hash = pipeline.engine().file_sha256();
  ASSERT_TRUE(hash.ok());
  ASSERT_EQ(document["weights"].get<std::string>(), hash.value()) << "run tests/golden/make_golden.py again";

  for (const json& slice : document["slices"]) {
    golden::Worst worst;
    golden::check_slice(pipeline, kTree + "/examples", slice, document["classified"], worst);
    std::printf(
        "%s %-8s %s: largest difference of a stage %.1e (detector), %.1e (classifier) of its scale, "
        "of a score %.1e, of a probability %.1e\n",
        GetParam(), pipeline.engine().device().isa.c_str(), slice["source"].get<std::string>().c_str(), worst.detector,
        worst.classifier, worst.score, worst.probability);
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, Golden, testing::Values("avx512", "avx2"),
                         [](const auto& level) { return std::string(level.param); });

}  // namespace
}  // namespace spinert
