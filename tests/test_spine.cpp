// Status and alert of a slice from its boxes and probabilities: every row of DESIGN section 2, and the rule that
// nothing doubtful is ever "negative".
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "diagnosis/spine.h"
#include "tests/support/reduced_model.h"

namespace spinert {
namespace {

PipelineConfig config() {
  auto parsed = parse_pipeline_config(reduced::config_text());
  EXPECT_TRUE(parsed.ok()) << parsed.status().to_string();
  return parsed.value();
}

Vertebra vertebra(float y, std::vector<float> probabilities = {0, 0, 0, 0, 0, 0.9f}) {
  Vertebra v;
  v.box = {100, y, 150, y + 40};
  v.score = 0.9f;
  v.probabilities = std::move(probabilities);
  return v;
}

SliceResult judged(std::vector<Vertebra> vertebrae) {
  SliceResult slice;
  slice.vertebrae = std::move(vertebrae);
  order_and_number(slice.vertebrae);
  const PipelineConfig c = config();
  for (Vertebra& v : slice.vertebrae) label(v, c.classifier);
  judge(slice, c);
  return slice;
}

bool has_reason(const SliceResult& slice, const std::string& code) {
  for (const Reason& reason : slice.reasons) {
    if (reason.code == code) return true;
  }
  return false;
}

TEST(Spine, HealthyChainIsNegative) {
  const SliceResult slice = judged({vertebra(100), vertebra(0), vertebra(50)});
  EXPECT_EQ(slice.status, "completed");
  EXPECT_EQ(slice.alert, "negative");
  EXPECT_EQ(slice.vertebrae[0].id, 1);
  EXPECT_EQ(slice.vertebrae[0].box[1], 0);
}

TEST(Spine, TooFewVertebraeAreIndeterminate) {
  const SliceResult none = judged({});
  EXPECT_EQ(none.status, "indeterminate");
  EXPECT_EQ(none.error, ErrorId::E_NO_VERTEBRA);
  EXPECT_EQ(none.alert, "review");
  const SliceResult two = judged({vertebra(0), vertebra(50)});
  EXPECT_EQ(two.status, "indeterminate");
  EXPECT_EQ(two.error, ErrorId::E_COVERAGE);
  EXPECT_EQ(two.alert, "review");
}

TEST(Spine, ScatteredBoxesAreIndeterminate) {
  EXPECT_EQ(judged({vertebra(0), vertebra(50), vertebra(500)}).status, "indeterminate");  // too far
  EXPECT_EQ(judged({vertebra(0), vertebra(1), vertebra(50)}).status, "indeterminate");    // too near
}

TEST(Spine, GapAsksForReview) {
  const SliceResult slice = judged({vertebra(0), vertebra(50), vertebra(150)});
  EXPECT_EQ(slice.status, "completed");
  EXPECT_EQ(slice.alert, "review");
  EXPECT_TRUE(has_reason(slice, "gap"));
}

TEST(Spine, DiseaseIsPositiveAndContradictionIsListed) {
  const SliceResult slice = judged({vertebra(0), vertebra(50, {0.7f, 0, 0, 0, 0, 0.8f}), vertebra(100)});
  EXPECT_EQ(slice.alert, "positive");
  EXPECT_EQ(slice.vertebrae[1].consistency, "contradictory");
  EXPECT_EQ(slice.vertebrae[1].labels, (std::vector<std::string>{"OVCF", "normal"}));
  EXPECT_TRUE(has_reason(slice, "contradictory"));
}

TEST(Spine, UnlabelledVertebraAsksForReview) {
  const SliceResult slice = judged({vertebra(0), vertebra(50, {0, 0, 0, 0, 0, 0.4f}), vertebra(100)});
  EXPECT_EQ(slice.vertebrae[1].consistency, "none");
  EXPECT_EQ(slice.alert, "review");
}

TEST(Spine, ThresholdIsInclusive) {
  const SliceResult slice = judged({vertebra(0, {0.5f, 0, 0, 0, 0, 0}), vertebra(50), vertebra(100)});
  EXPECT_EQ(slice.vertebrae[0].labels, (std::vector<std::string>{"OVCF"}));
  const float below = std::nextafter(0.5f, 0.0f);
  const SliceResult other = judged({vertebra(0, {below, 0, 0, 0, 0, 0}), vertebra(50), vertebra(100)});
  EXPECT_TRUE(other.vertebrae[0].labels.empty());
}

TEST(Spine, CutSliceAsksForReview) {
  for (const char* code : {"cropped", "capped"}) {
    SliceResult slice;
    slice.vertebrae = {vertebra(0), vertebra(50), vertebra(100)};
    order_and_number(slice.vertebrae);
    const PipelineConfig c = config();
    for (Vertebra& v : slice.vertebrae) label(v, c.classifier);
    slice.reasons.push_back({code, "..."});
    judge(slice, c);
    EXPECT_EQ(slice.alert, "review") << code;
  }
}

TEST(Spine, NanBoxesFormNoChain) {
  std::vector<Vertebra> boxes = {vertebra(0), vertebra(50), vertebra(100)};
  boxes[1].box[1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(forms_chain(boxes));
}

}  // namespace
}  // namespace spinert
