// Status and exit code of a study from its slices, and the names of slices.
#include <gtest/gtest.h>

#include "diagnosis/pipeline.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

SliceResult slice(const std::string& status, ErrorId id = ErrorId::OK) {
  SliceResult s;
  s.source = "s.png";
  s.status = status;
  s.error = id;
  return s;
}

const SliceResult kDone = slice("completed");
const SliceResult kUnsure = slice("indeterminate", ErrorId::E_NO_VERTEBRA);
const SliceResult kNonFinite = slice("indeterminate", ErrorId::E_NONFINITE);
const SliceResult kPng = slice("failed", ErrorId::E_PNG);
const SliceResult kColour = slice("failed", ErrorId::E_IMAGE_COLOUR);
const SliceResult kMissing = slice("failed", ErrorId::E_INPUT_EMPTY);
const SliceResult kStopped = slice("failed", ErrorId::E_CANCELLED);
const SliceResult kLate = slice("failed", ErrorId::E_TIMEOUT);

struct Row {
  const char* name;
  std::vector<SliceResult> slices;
  const char* status;
  int exit_code;
};

class Summary : public testing::TestWithParam<Row> {};

TEST_P(Summary, HasStatusAndExitCode) {
  StudyResult study;
  study.slices = GetParam().slices;
  summarise(study);
  EXPECT_EQ(study.status, GetParam().status);
  EXPECT_EQ(study.exit_code, GetParam().exit_code);
  EXPECT_EQ(study.reasons.empty(), study.status == "completed");
}

INSTANTIATE_TEST_SUITE_P(Table, Summary,
                         testing::Values(Row{"one_completed", {kDone}, "completed", 0},
                                         Row{"all_completed", {kDone, kDone}, "completed", 0},
                                         Row{"one_failed", {kPng}, "failed", 4},
                                         Row{"first_failure_decides", {kColour, kPng}, "failed", 5},
                                         Row{"first_failure_decides_too", {kMissing, kColour}, "failed", 3},
                                         Row{"some_failed", {kDone, kPng}, "partial", 11},
                                         Row{"failed_beats_indeterminate", {kUnsure, kPng, kDone}, "partial", 11},
                                         Row{"failed_and_indeterminate", {kPng, kUnsure}, "partial", 11},
                                         Row{"indeterminate", {kUnsure}, "indeterminate", 13},
                                         Row{"one_indeterminate", {kDone, kNonFinite}, "indeterminate", 13},
                                         Row{"stopped", {kDone, kStopped, kStopped}, "failed", 130},
                                         Row{"stopped_at_once", {kStopped}, "failed", 130},
                                         Row{"late", {kDone, kLate}, "failed", 14}, Row{"no_slice", {}, "failed", 3}),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Study, ReasonsNameTheSliceAndTheCode) {
  StudyResult study;
  study.slices = {kDone, failed_slice("b.png", error(ErrorId::E_PNG, "PN-01 no signature", "b.png"))};
  summarise(study);
  ASSERT_EQ(study.reasons.size(), 1u);
  EXPECT_EQ(study.reasons[0].code, "E_PNG");
  EXPECT_EQ(study.reasons[0].text, "b.png: PN-01 no signature, b.png.");
}

TEST(Study, FailedSliceIsNeverNegative) {
  const SliceResult s = failed_slice("a.png", error(ErrorId::E_PNG, "damaged"));
  EXPECT_EQ(s.status, "failed");
  EXPECT_EQ(s.alert, "review");
  EXPECT_EQ(s.error, ErrorId::E_PNG);
  ASSERT_EQ(s.reasons.size(), 1u);
}

TEST(Study, FailedRunDropsSlices) {
  StudyResult study;
  study.slices = {kDone};
  fail_study(study, error(ErrorId::E_MODEL_HASH, "changed"));
  EXPECT_EQ(study.status, "failed");
  EXPECT_EQ(study.exit_code, 7);
  EXPECT_TRUE(study.slices.empty());
}

TEST(SourceNames, AreUniqueAndClean) {
  SourceNames names;
  EXPECT_EQ(names.add("x/a.png"), "a.png");
  EXPECT_EQ(names.add("y/a.png"), "a-2.png");
  EXPECT_EQ(names.add("z/a.png"), "a-3.png");
  EXPECT_EQ(names.add("a-2.png"), "a-2-2.png");
  EXPECT_EQ(names.add("noextension"), "noextension");
  EXPECT_EQ(names.add("q/noextension"), "noextension-2");
  EXPECT_EQ(names.add(".hidden"), ".hidden");
  EXPECT_EQ(names.add("r/.hidden"), ".hidden-2");
  EXPECT_EQ(names.add("bad\xff\n.png"), "bad\xEF\xBF\xBD\xEF\xBF\xBD.png");
}

TEST(Study, ReportsNameNoFolder) {
  EXPECT_EQ(without_folder("cannot open /home/jane/a.png, /home/jane/a.png", "/home/jane/a.png"),
            "cannot open a.png, a.png");
  EXPECT_EQ(without_folder("a.png is a.png", "a.png"), "a.png is a.png");
  EXPECT_EQ(without_folder("nothing", ""), "nothing");
}

}  // namespace
}  // namespace spinert
