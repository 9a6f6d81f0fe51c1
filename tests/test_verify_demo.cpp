// The one run of `reference` at full size: the demo model on an example slice, node by node and end to end, against the
// best level of this machine. Takes one to three minutes, most of it in the plain loops of the reference.
#include <gtest/gtest.h>

#include <cstdio>

#include "diagnosis/verify.h"
#include "kernels/registry.h"

namespace spinert {
namespace {

TEST(VerifyDemo, BestLevelEqualsTheReferenceAtFullSize) {
  const std::string tree = SPINERT_SOURCE_DIR;
  auto picture = read_picture(tree + "/examples/slice_014.png");
  ASSERT_TRUE(picture.ok()) << picture.status().to_string();
  const NamedPicture input{"slice_014.png", std::move(picture).value()};
  VerifyOptions options;
  options.model = tree + "/models/spine-demo.safetensors";
  options.levels = {std::string(level_name(cpu_features().best))};
  auto report = verify(options, {&input, 1});
  ASSERT_TRUE(report.ok()) << report.status().to_string();
  for (const LevelReport& level : report.value().levels) {
    EXPECT_TRUE(level.breach.ok()) << level.breach.to_string();
    EXPECT_EQ(level.global.vertebrae, 9);
    EXPECT_EQ(level.global.flips, 0);
    std::printf(
        "%s: %zu outputs of nodes, %d vertebrae, IoU at least %.6f, score within %.1e, probability within %.1e\n",
        level.level.c_str(), level.nodes.size(), level.global.vertebrae, level.global.min_iou, level.global.max_score,
        level.global.max_probability);
  }
}

}  // namespace
}  // namespace spinert
