// The reduced detectors on one feature map against torchvision, stage by stage, with weights from the counter-based
// generator (tests/golden/README.md). Needs examples/ and tests/golden/networks.golden.json.gz and no model file.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "tests/support/files.h"
#include "tests/support/generated_checkpoint.h"
#include "tests/support/golden_check.h"

namespace spinert {
namespace {

using nlohmann::json;

const std::string kTree = SPINERT_SOURCE_DIR;

// The check values of the README.
TEST(Generator, GivesThePublishedValues) {
  const uint64_t seed = generated::stream_seed("detector.body.conv1.weight", 0);
  EXPECT_EQ(seed, 0xad39dad37cbfe8e2ULL);
  const double normals[] = {-1.4814246204827979, 0.875169837166028, 0.6347716720738559};
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(generated::normal(seed, i), normals[i]);
}

Result<std::string> make_model(const std::string& folder, const std::string& config_text, uint64_t seed) {
  SPINERT_ASSIGN(const PipelineConfig config, parse_pipeline_config(config_text));
  SPINERT_TRY(generated::write_generated_checkpoint(folder + "/detector.safetensors", config.detector.architecture,
                                                    config, seed));
  SPINERT_TRY(generated::write_generated_checkpoint(folder + "/classifier.safetensors", config.classifier.architecture,
                                                    config, seed));
  return generated::convert_folder(folder, config_text);
}

class NetworkGolden : public testing::TestWithParam<const char*> {};

TEST_P(NetworkGolden, EveryStageAgreesWithTorchvision) {
  const json document = golden::load(kTree + "/tests/golden/networks.golden.json.gz");
  ASSERT_TRUE(document.contains("networks"));
  ASSERT_EQ(document["networks"].size(), 2u);
  for (const json& network : document["networks"]) {
    const std::string name = network["config"]["detector"]["architecture"];
    SCOPED_TRACE(name);
    const TempDir folder;
    const auto model = make_model(folder.file(""), network["config"].dump(), document["seed"]);
    ASSERT_TRUE(model.ok()) << model.status().to_string();
    const bool reference = std::strcmp(GetParam(), "reference") == 0;
    auto opened = Pipeline::open(
        {.model = model.value(),
         .engine = {.device = reference ? "reference" : "cpu", .isa = reference ? "" : GetParam(), .threads = 2}});
    if (!opened.ok() && opened.status().id() == ErrorId::E_DEVICE) GTEST_SKIP() << opened.status().message();
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    for (const json& slice : network["slices"]) {
      // Boxes on both sides of the threshold, so that neither end is empty.
      ASSERT_GT(slice["vertebrae"].size(), 2u);
      ASSERT_LT(slice["vertebrae"].size(), slice["candidates"].size());
      golden::Worst worst;
      golden::check_slice(*opened.value(), kTree + "/examples", slice, document["classified"], worst);
      std::printf(
          "%s, %s: largest difference of a stage %.1e (detector), %.1e (classifier) of its scale, of a score %.1e\n",
          name.c_str(), GetParam(), worst.detector, worst.classifier, worst.score);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, NetworkGolden, testing::Values("reference", "scalar", "avx2", "avx512"),
                         [](const auto& level) { return std::string(level.param); });

}  // namespace
}  // namespace spinert
