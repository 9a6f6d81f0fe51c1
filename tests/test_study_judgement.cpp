// Status and alert of a study: every rule of study_judgement.h, each with the change that must break "negative".
#include <limits>

#include "tests/support/invented_study.h"

namespace spinert {
namespace {

InventedStudy healthy() {
  InventedStudy study(12);
  study.add_spine(6, 2, 9);  // the planes at the sides show no vertebra
  return study;
}

TEST(StudyJudgement, HealthyStudyIsNegativeThoughSomeSlicesAreEmpty) {
  InventedStudy study = healthy();
  const StudyJudgement judged = study.judged();
  EXPECT_EQ(study.results[0].status, "indeterminate") << "alone it would be";
  EXPECT_EQ(judged.status, "completed");
  EXPECT_EQ(judged.alert, "negative");
  EXPECT_EQ(judged.exit_code, 0);
  EXPECT_EQ(judged.error, ErrorId::OK);
  EXPECT_EQ(judged.chain, 6);
  EXPECT_TRUE(judged.reasons.empty());
}

struct Change {
  const char* name;
  void (*apply)(InventedStudy&);
  const char* status;
  const char* alert;
  const char* reason;
  int exit_code;
};

class Doubt : public testing::TestWithParam<Change> {};

TEST_P(Doubt, IsNotNegative) {
  InventedStudy study = healthy();
  GetParam().apply(study);
  const StudyJudgement judged = study.judged();
  EXPECT_EQ(judged.status, GetParam().status);
  EXPECT_EQ(judged.alert, GetParam().alert);
  EXPECT_EQ(judged.exit_code, GetParam().exit_code);
  EXPECT_TRUE(has_reason(judged, GetParam().reason));
}

void each_box(InventedStudy& study, int level, const std::vector<float>& probabilities) {
  for (int s = 2; s <= 9; ++s) study.results[size_t(s)].vertebrae[size_t(level)].probabilities = probabilities;
}
void remove(InventedStudy& study, int level, int first, int last) {
  for (int s = first; s <= last; ++s) {
    auto& list = study.results[size_t(s)].vertebrae;
    list.erase(list.begin() + level);
  }
}
void keep(InventedStudy& study, size_t levels) {
  for (SliceResult& result : study.results) result.vertebrae.resize(std::min(levels, result.vertebrae.size()));
}

const Change kChanges[] = {
    {"one_slice_positive", [](InventedStudy& s) { s.results[5].vertebrae[3].probabilities = kFractured; }, "completed",
     "positive", "contradictory", 0},
    {"positive_below_the_count",
     [](InventedStudy& s) {
       s.config.tracks.alert_slices = 2;
       s.results[5].vertebrae[3].probabilities = kFractured;
     },
     "completed", "review", "below_alert", 0},
    {"unlabelled", [](InventedStudy& s) { each_box(s, 3, std::vector<float>(6, 0.3f)); }, "completed", "review",
     "unlabelled", 0},
    {"short_track", [](InventedStudy& s) { s.add(5, 210); }, "completed", "review", "short", 0},
    {"short_track_with_disease", [](InventedStudy& s) { s.add(5, 210, kFractured); }, "completed", "positive", "short",
     0},
    {"missing_in_all_slices", [](InventedStudy& s) { remove(s, 3, 2, 9); }, "completed", "review", "gap", 0},
    {"missing_in_the_middle_slices", [](InventedStudy& s) { remove(s, 3, 4, 7); }, "completed", "review", "interrupted",
     0},
    {"seen_in_few_slices", [](InventedStudy& s) { remove(s, 3, 4, 9); }, "completed", "review", "few_slices", 0},
    {"a_slice_failed", [](InventedStudy& s) { s.fail(5, "failed", ErrorId::E_DICOM_TRUNCATED); }, "partial", "review",
     "E_DICOM_TRUNCATED", 11},
    {"an_empty_slice_failed", [](InventedStudy& s) { s.fail(0, "failed", ErrorId::E_SLICE_DECODE); }, "partial",
     "review", "E_SLICE_DECODE", 11},
    {"a_slice_is_not_finite", [](InventedStudy& s) { s.fail(0, "indeterminate", ErrorId::E_NONFINITE); },
     "indeterminate", "review", "E_NONFINITE", 13},
    {"unknown_status", [](InventedStudy& s) { s.results[0].status = "odd"; }, "indeterminate", "review", "E_INTERNAL",
     13},
    {"half_failed",
     [](InventedStudy& s) {
       for (const int n : {0, 1, 2, 3, 9, 10, 11}) s.fail(n, "failed", ErrorId::E_DICOM);
     },
     "partial", "review", "E_COVERAGE", 13},
    {"all_failed",
     [](InventedStudy& s) {
       for (int n = 0; n < 12; ++n) s.fail(n, "failed", n < 3 ? ErrorId::E_MODALITY : ErrorId::E_DICOM);
     },
     "failed", "review", "E_MODALITY", 5},
    {"stopped", [](InventedStudy& s) { s.fail(11, "failed", ErrorId::E_CANCELLED); }, "failed", "review", "E_CANCELLED",
     130},
    {"late", [](InventedStudy& s) { s.fail(11, "failed", ErrorId::E_TIMEOUT); }, "failed", "review", "E_TIMEOUT", 14},
    {"no_vertebra", [](InventedStudy& s) { keep(s, 0); }, "indeterminate", "review", "E_NO_VERTEBRA", 13},
    {"too_few", [](InventedStudy& s) { keep(s, 2); }, "indeterminate", "review", "E_NO_VERTEBRA", 13},
    {"none_though_none_is_asked_for",
     [](InventedStudy& s) {
       keep(s, 0);
       s.config.diagnosis.min_vertebrae = 0;
     },
     "indeterminate", "review", "E_NO_VERTEBRA", 13},
    {"too_few_with_disease",
     [](InventedStudy& s) {
       keep(s, 2);
       each_box(s, 1, kFractured);
     },
     "indeterminate", "positive", "E_NO_VERTEBRA", 13},
    {"too_far",
     [](InventedStudy& s) {
       for (int n = 2; n <= 9; ++n) s.add(n, 290);
     },
     "indeterminate", "review", "E_COVERAGE", 13},
    {"too_near",
     [](InventedStudy& s) {
       for (int n = 2; n <= 9; ++n) s.add(n, 189, kHealthy, 60, 10);
     },
     "indeterminate", "review", "E_COVERAGE", 13},
    {"cut_off",
     [](InventedStudy& s) {
       s.results[4].reasons.push_back({"cropped", "left 3"});
     },
     "completed", "review", "cropped", 0},
    {"more_than_is_kept",
     [](InventedStudy& s) {
       s.results[4].reasons.push_back({"capped", "100"});
     },
     "completed", "review", "capped", 0},
    {"not_whole_in_a_tile",
     [](InventedStudy& s) {
       s.results[4].reasons.push_back({"tile_edge", "..."});
     },
     "completed", "review", "tile_edge", 0},
    {"no_probabilities", [](InventedStudy& s) { s.results[4].vertebrae[0].probabilities.clear(); }, "indeterminate",
     "review", "E_NONFINITE", 13},
    {"a_probability_is_no_number",
     [](InventedStudy& s) { s.results[4].vertebrae[0].probabilities[0] = std::numeric_limits<float>::quiet_NaN(); },
     "indeterminate", "review", "E_NONFINITE", 13},
    {"a_box_is_no_number",
     [](InventedStudy& s) { s.results[4].vertebrae[5].box[3] = std::numeric_limits<float>::infinity(); },
     "indeterminate", "review", "E_NONFINITE", 13},
};

INSTANTIATE_TEST_SUITE_P(Table, Doubt, testing::ValuesIn(kChanges),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(StudyJudgement, ReasonsNameTheSlice) {
  InventedStudy study = healthy();
  study.fail(3, "failed", ErrorId::E_DICOM);
  const StudyJudgement judged = study.judged();
  ASSERT_EQ(judged.reasons.size(), 1u);
  EXPECT_EQ(judged.reasons[0].text, "slice 3: it broke");
}

TEST(StudyJudgement, WhatIsLostOnTheWayIsNoticed) {
  InventedStudy study = healthy();
  const auto slices = study.slices();
  auto tracks = link_tracks(slices, study.config);
  tracks.pop_back();
  const StudyJudgement judged = judge_study(slices, tracks, study.config);
  EXPECT_EQ(judged.alert, "review");
  EXPECT_TRUE(has_reason(judged, "unlinked"));
}

TEST(StudyJudgement, AMissingSliceIsAFailedOne) {
  InventedStudy study = healthy();
  auto slices = study.slices();
  slices[0].result = nullptr;
  const auto tracks = link_tracks(slices, study.config);
  const StudyJudgement judged = judge_study(slices, tracks, study.config);
  EXPECT_EQ(judged.status, "partial");
  EXPECT_EQ(judged.alert, "review");
}

// Heights grow from 13 mm in the neck to 28 mm in the loins: no gap where there is none, and one where a vertebra of
// either end is missing.
TEST(StudyJudgement, GapsAreMeasuredByTheVertebraeAroundThem) {
  const double heights[] = {13.5, 13.2, 13,   13.2, 14.4, 15.8, 17,   17.8, 18.4, 19,   19.8,
                            20.4, 21,   21.8, 22.8, 24,   25.2, 26.2, 27,   27.4, 27.6, 27.6};
  const double discs[] = {5,   5,   5,   5.2, 5,   4.4, 4,   3.8, 3.8, 3.8,  4,
                          4.2, 4.6, 4.8, 5.2, 5.6, 6.4, 7.6, 8.8, 9.8, 10.6, 10};
  for (int missing = -1; missing < 21; ++missing) {
    if (missing == 0) continue;  // at the end: it leaves no gap
    InventedStudy study(6);
    double y = 20;
    for (int level = 0; level < 22; ++level) {
      const double height = heights[level];
      for (int s = 0; s < 6 && level != missing; ++s) study.add(s, y + height / 2, kHealthy, 60, height, 1.3 * height);
      y += height + discs[level];
    }
    EXPECT_EQ(study.judged().alert, missing < 0 ? "negative" : "review") << "missing " << missing;
    EXPECT_EQ(has_reason(study.judged(), "gap"), missing >= 0) << "missing " << missing;
  }
}

}  // namespace
}  // namespace spinert
