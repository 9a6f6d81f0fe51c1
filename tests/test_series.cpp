// test_series.cpp - files to series: what belongs together, in which order, what is missing, twice, mixed or tilted.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "diagnosis/studies/hounsfield.h"
#include "diagnosis/studies/series.h"
#include "tests/support/expect_error.h"
#include "tests/support/slices.h"

namespace spinert {
namespace {

using test::axial_slice;
using test::axial_stack;
using test::expect_error;

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

Result<SeriesGeometry> arrange(const std::vector<DicomFacts>& files, int allow_gaps = 0) {
  std::vector<size_t> all(files.size());
  std::iota(all.begin(), all.end(), size_t{0});
  return arrange_series(files, all, allow_gaps);
}

void expect_near(const Vec3& got, const Vec3& wanted, double tolerance = 1e-9) {
  EXPECT_LE(length(got - wanted), tolerance) << got.x << ", " << got.y << ", " << got.z;
}

// ------------------------------------------------------------------------------------------------ order and distances

TEST(ArrangeSeries, OrderComesFromPositionsAlone) {
  std::vector<DicomFacts> files = axial_stack(7, 2.5, -30);
  std::reverse(files.begin(), files.end());
  std::swap(files[1], files[4]);
  const auto geometry = arrange(files);
  ASSERT_TRUE(geometry.ok()) << geometry.status().to_string();
  EXPECT_EQ(geometry.value().order, (std::vector<size_t>{6, 5, 1, 3, 2, 4, 0}));
  EXPECT_EQ(geometry.value().place, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
  const Grid& grid = geometry.value().grid;
  EXPECT_EQ(grid.slices, 7);
  EXPECT_EQ(grid.plane.columns, 8);
  EXPECT_EQ(grid.plane.rows, 6);
  expect_near(grid.slice_step, {0, 0, 2.5});
  expect_near(grid.at(7, 5, 6), {-100 + 3.5, -120 + 2.5, -15});
  EXPECT_EQ(geometry.value().tilt_degrees, 0);
}

// Rows down the column's side: the cosines are turned so that the normal points to the feet.
TEST(ArrangeSeries, OrderDoesNotFollowTheSignOfTheNormal) {
  std::vector<DicomFacts> files = axial_stack(4, 1);
  for (DicomFacts& facts : files) facts.column_direction = Vec3{0, -1, 0};
  const auto geometry = arrange(files);
  ASSERT_TRUE(geometry.ok());
  EXPECT_EQ(geometry.value().order, (std::vector<size_t>{0, 1, 2, 3}));
  expect_near(geometry.value().grid.slice_step, {0, 0, 1});
}

TEST(ArrangeSeries, OneSliceHasNoStep) {
  const auto geometry = arrange({axial_slice(5)});
  ASSERT_TRUE(geometry.ok());
  EXPECT_EQ(geometry.value().grid.slices, 1);
  EXPECT_EQ(geometry.value().grid.slice_step, Vec3{});
}

// 0.625 mm written with one decimal: distances of 0.6 and 0.7 are one distance, and a gap among them is still seen.
TEST(ArrangeSeries, RoundedPositionsAreEven) {
  std::vector<DicomFacts> files;
  for (int i = 0; i < 300; ++i) files.push_back(axial_slice(std::round(10 * (0.625 * i - 77.3)) / 10));
  const auto geometry = arrange(files);
  ASSERT_TRUE(geometry.ok()) << geometry.status().to_string();
  EXPECT_NEAR(geometry.value().grid.slice_step.z, 0.625, 1e-3);
  files.erase(files.begin() + 120, files.begin() + 123);
  expect_error(arrange(files).status(), ErrorId::E_GEOM_GAP, {"3 slices are missing", "-2.900 mm"});
}

// Cosines as scanners write them, with three to six decimals.
TEST(ArrangeSeries, RoundedCosinesAreAccepted) {
  for (const double scale : {1e3, 1e4, 1e6}) {
    for (double degrees = -30; degrees <= 30; degrees += 0.7) {
      const double angle = degrees * std::numbers::pi / 180;
      const auto rounded = [&](double value) { return std::round(value * scale) / scale; };
      const Vec3 row{std::cos(angle), std::sin(angle) * 0.8, std::sin(angle) * 0.6};
      const Vec3 column = unit(cross(Vec3{0, -0.6, 0.8}, row));
      std::vector<DicomFacts> files;
      for (int i = 0; i < 5; ++i) {
        DicomFacts facts = axial_slice(0);
        facts.row_direction = Vec3{rounded(row.x), rounded(row.y), rounded(row.z)};
        facts.column_direction = Vec3{rounded(column.x), rounded(column.y), rounded(column.z)};
        facts.position = 1.25 * i * cross(row, column);
        files.push_back(facts);
      }
      const auto geometry = arrange(files);
      ASSERT_TRUE(geometry.ok()) << degrees << ": " << geometry.status().to_string();
      EXPECT_NEAR(length(geometry.value().grid.slice_step), 1.25, 1e-9);
      EXPECT_LT(geometry.value().tilt_degrees, 0.12);
    }
  }
}

// ---------------------------------------------------------------------------------------------- what is missing
// (BI-08)

TEST(Gaps, AreNamedWithTheirPlaceAndCount) {
  std::vector<DicomFacts> files = axial_stack(10, 2.5);
  files.erase(files.begin() + 4);
  const Status one = arrange(files).status();
  expect_error(
      one, ErrorId::E_GEOM_GAP,
      {"1 slice is missing", "7.500 mm", "12.500 mm", "expected slices at distances of 2.500 mm", "got 5.000 mm"});
  EXPECT_EQ(exit_code(one.id()), 4);
  files.erase(files.begin() + 6, files.begin() + 8);
  expect_error(arrange(files).status(), ErrorId::E_GEOM_GAP,
               {"3 slices are missing", "1 between 7.500 mm and 12.500 mm", "2 between 15.000 mm and 22.500 mm"});
}

TEST(Gaps, AtTheEndsCannotBeSeenButOneStepIsEnough) {
  const std::vector<DicomFacts> files = {axial_slice(0), axial_slice(1), axial_slice(3)};
  expect_error(arrange(files).status(), ErrorId::E_GEOM_GAP, {"1 slice is missing"});
}

TEST(Gaps, CanBeAllowedUpToANumber) {
  std::vector<DicomFacts> files = axial_stack(10, 2.5);
  files.erase(files.begin() + 6, files.begin() + 8);
  files.erase(files.begin() + 2);
  const auto geometry = arrange(files, 3);
  ASSERT_TRUE(geometry.ok()) << geometry.status().to_string();
  EXPECT_EQ(geometry.value().grid.slices, 10);
  EXPECT_EQ(geometry.value().missing, (std::vector<int>{2, 6, 7}));
  EXPECT_EQ(geometry.value().place, (std::vector<int>{0, 1, 3, 4, 5, 8, 9}));
  expect_near(geometry.value().grid.slice_step, {0, 0, 2.5});
  expect_error(arrange(files, 2).status(), ErrorId::E_GEOM_GAP, {"3 slices are missing", "at most 2 missing"});
}

TEST(Gaps, DistancesThatFitNoMultipleAreRefused) {
  std::vector<DicomFacts> files = axial_stack(10, 2.5);
  files[5].position->z += 1.25;
  for (const int allowed : {0, 100}) {
    expect_error(arrange(files, allowed).status(), ErrorId::E_GEOM_GAP, {"even distances", "mm"});
  }
  // A distance that grows slowly is not even either, however small each step.
  std::vector<DicomFacts> growing;
  for (int i = 0; i < 100; ++i) growing.push_back(axial_slice(i + 1e-4 * i * i));
  expect_error(arrange(growing).status(), ErrorId::E_GEOM_GAP, {"even distances"});
  // Within the tolerance of a tenth of a millimetre it is.
  files[5].position->z -= 1.25 - 0.09;
  EXPECT_TRUE(arrange(files).ok());
}

// ----------------------------------------------------------------------------------------- duplicates, mixed, tilt

TEST(Duplicates, AreListedWithTheFileTheyRepeat) {
  std::vector<DicomFacts> files = axial_stack(4, 1);
  files.push_back(axial_slice(2.004));
  files.push_back(axial_slice(2));
  const auto geometry = arrange(files);
  ASSERT_TRUE(geometry.ok()) << geometry.status().to_string();
  EXPECT_EQ(geometry.value().order, (std::vector<size_t>{0, 1, 2, 3}));
  ASSERT_EQ(geometry.value().duplicates.size(), 2u);
  EXPECT_EQ(geometry.value().duplicates[0].file, 5u);
  EXPECT_EQ(geometry.value().duplicates[0].of, 2u);
  EXPECT_EQ(geometry.value().duplicates[1].file, 4u);
  EXPECT_EQ(geometry.value().grid.slices, 4);
}

TEST(Duplicates, WithOtherPixelsAreRefused) {
  DicomFile a{axial_slice(0), std::vector<int32_t>(48, 7)}, b = a;
  EXPECT_TRUE(check_duplicate(a, b).ok());
  b.stored[47] = 8;
  expect_error(check_duplicate(a, b), ErrorId::E_GEOM_DUPLICATE, {"same place", a.facts.path});
  b = a;
  b.facts.rescale_intercept = 0;
  EXPECT_EQ(check_duplicate(a, b).id(), ErrorId::E_GEOM_DUPLICATE);
}

TEST(Mixed, WhatDoesNotBelongTogetherIsRefused) {
  const auto with = [](auto change) {
    std::vector<DicomFacts> files = axial_stack(5, 1);
    change(files[3]);
    return arrange(files).status();
  };
  expect_error(with([](DicomFacts& f) { f.frame_of_reference = "1.8"; }), ErrorId::E_GEOM_MIXED, {"frames", "1.8"});
  expect_error(with([](DicomFacts& f) { f.frame_of_reference.clear(); }), ErrorId::E_GEOM_MIXED, {"frames", "none"});
  expect_error(with([](DicomFacts& f) { f.row_spacing = 0.501; }), ErrorId::E_GEOM_MIXED, {"pixel spacings"});
  expect_error(with([](DicomFacts& f) { f.columns = 9; }), ErrorId::E_GEOM_MIXED, {"sizes"});
  expect_error(with([](DicomFacts& f) {
                 f.column_direction = Vec3{0, 0.99, std::sqrt(1 - 0.99 * 0.99)};
               }),
               ErrorId::E_GEOM_MIXED, {"orientations"});
  expect_error(with([](DicomFacts& f) { f.position->x += 0.3; }), ErrorId::E_GEOM_MIXED,
               {"beside the line", "3.000 mm"});
  expect_error(with([](DicomFacts& f) { f.position = Vec3{-90, -120, 2}; }), ErrorId::E_GEOM_MIXED, {"side by side"});
}

TEST(Tilt, IsMeasuredAndKeptInTheStep) {
  for (const double degrees : {0.5, 12.0, -28.0}) {
    const double angle = degrees * std::numbers::pi / 180;
    std::vector<DicomFacts> files = axial_stack(20, 3);
    for (DicomFacts& facts : files) facts.column_direction = Vec3{0, std::cos(angle), std::sin(angle)};
    const auto geometry = arrange(files);
    ASSERT_TRUE(geometry.ok()) << geometry.status().to_string();
    EXPECT_NEAR(geometry.value().tilt_degrees, std::abs(degrees), 1e-9);
    expect_near(geometry.value().grid.slice_step, {0, 0, 3});
  }
  std::vector<DicomFacts> files = axial_stack(5, 3);
  for (DicomFacts& facts : files) facts.column_direction = Vec3{0, 0.6, 0.8};
  expect_error(arrange(files).status(), ErrorId::E_GEOM_TILT, {"45 degrees"});
}

// ---------------------------------------------------------------------------------------------------- BI-06, numbers

TEST(Vectors, WhatIsMissingOrImpossibleIsRefusedAndNeverDropped) {
  const auto with = [](auto change) {
    std::vector<DicomFacts> files = axial_stack(5, 1);
    files[3].path = "the-file";
    change(files[3]);
    const Status status = arrange(files).status();
    EXPECT_NE(status.message().find("the-file"), std::string::npos) << status.message();
    return status;
  };
  expect_error(with([](DicomFacts& f) { f.position.reset(); }), ErrorId::E_GEOM_MISSING, {"ImagePositionPatient"});
  expect_error(with([](DicomFacts& f) { f.row_direction.reset(); }), ErrorId::E_GEOM_MISSING, {"ImageOrientation"});
  expect_error(with([](DicomFacts& f) { f.row_spacing.reset(); }), ErrorId::E_GEOM_MISSING, {"PixelSpacing"});
  for (const double bad : {kNan, kInf, -kInf, 1e300, 0.0, -1.0}) {
    expect_error(with([&](DicomFacts& f) { f.column_spacing = bad; }), ErrorId::E_GEOM_MISSING, {"PixelSpacing"});
    expect_error(with([&](DicomFacts& f) { f.row_direction->x = bad == -1 ? 1.01 : bad; }), ErrorId::E_GEOM_MISSING,
                 {"unit vectors"});
    if (bad == 0 || bad == -1) continue;
    expect_error(with([&](DicomFacts& f) { f.position->y = bad; }), ErrorId::E_GEOM_MISSING, {"ImagePosition"});
  }
  expect_error(with([](DicomFacts& f) { f.column_direction = f.row_direction; }), ErrorId::E_GEOM_MISSING,
               {"right angles"});
  EXPECT_EQ(arrange({}).status().id(), ErrorId::E_GEOM_MISSING);
}

// ------------------------------------------------------------------------------------------------------ split, choose

std::vector<std::vector<size_t>> members_of(const std::vector<Series>& series) {
  std::vector<std::vector<size_t>> members;
  for (const Series& one : series) members.push_back(one.files);
  return members;
}

DicomFacts sagittal_slice(double x) {
  DicomFacts facts = axial_slice(0);
  facts.series = "1.3";
  facts.position = Vec3{x, -100, 50};
  facts.row_direction = Vec3{0, 1, 0};
  facts.column_direction = Vec3{0, 0, -1};
  return facts;
}

TEST(SplitSeries, ByUidOrientationAndMatrix) {
  std::vector<DicomFacts> files = axial_stack(3, 1);                // 0, 1, 2
  files.insert(files.begin() + 1, sagittal_slice(4));               // now 1
  files.push_back(axial_slice(9)), files.back().columns = 16;       // 4: another matrix
  files.push_back(sagittal_slice(5)), files.back().series = "1.2";  // 5: another orientation
  files.push_back(axial_slice(10)), files.back().series = "1.7";    // 6: another series
  files.push_back(sagittal_slice(7));                               // 7
  const auto series = split_series(files);
  EXPECT_EQ(members_of(series), (std::vector<std::vector<size_t>>{{0, 2, 3}, {1, 7}, {4}, {5}, {6}}));
  EXPECT_EQ(series[0].orientation, Orientation::axial);
  EXPECT_EQ(series[1].orientation, Orientation::sagittal);
  for (const Series& one : series) EXPECT_TRUE(one.problem.ok());
}

// Stacks along the discs: one UID, another tilt for each.
TEST(SplitSeries, StacksOfOtherTiltAreOtherSeries) {
  std::vector<DicomFacts> files;
  for (int i = 0; i < 6; ++i) {
    const double angle = 0.05 * (i / 3);
    files.push_back(axial_slice(i));
    files.back().column_direction = Vec3{0, std::cos(angle), std::sin(angle)};
  }
  EXPECT_EQ(members_of(split_series(files)), (std::vector<std::vector<size_t>>{{0, 1, 2}, {3, 4, 5}}));
}

TEST(SplitSeries, LocalizersAndOtherKindsAreSetAside) {
  std::vector<DicomFacts> files = axial_stack(7, 1);
  files[1].image_type = {"ORIGINAL", "PRIMARY", "LOCALIZER"};
  files[2].modality = "MR";
  files[3].sop_class = "1.2.840.10008.5.1.4.1.1.7";
  files[4].frames = 20;
  files[5].modality.clear();
  const auto series = split_series(files);
  ASSERT_EQ(series.size(), 3u);
  EXPECT_EQ(series[0].files, (std::vector<size_t>{0, 6}));
  EXPECT_EQ(series[1].files, (std::vector<size_t>{1}));
  EXPECT_EQ(series[2].files, (std::vector<size_t>{2, 3, 4, 5}));
  expect_error(series[1].problem, ErrorId::E_MODALITY, {"localizer"});
  expect_error(series[2].problem, ErrorId::E_MODALITY, {"modality CT", "MR"});
}

TEST(SplitSeries, ASliceWithoutOrientationSpoilsItsSeries) {
  for (const bool zeros : {false, true}) {
    std::vector<DicomFacts> files = axial_stack(5, 1);
    if (zeros) {
      files[4].row_direction = files[4].column_direction = Vec3{};
    } else {
      files[4].row_direction.reset();
    }
    const auto series = split_series(files);
    ASSERT_EQ(series.size(), 1u);
    EXPECT_EQ(series[0].files.size(), 5u);
    expect_error(series[0].problem, ErrorId::E_GEOM_MISSING, {files[4].path});
    EXPECT_EQ(choose_series(series, files).status().id(), ErrorId::E_GEOM_MISSING);
  }
}

Result<SeriesChoice> choose(const std::vector<DicomFacts>& files, const std::string& uid = {}) {
  return choose_series(split_series(files), files, uid);
}

TEST(ChooseSeries, SagittalBeforeOthersThenTheOneWithMoreSlices) {
  std::vector<DicomFacts> files = axial_stack(9, 1);
  auto choice = choose(files);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice.value().why, "the only one");

  for (int i = 0; i < 4; ++i) files.push_back(axial_slice(2 * i)), files.back().series = "1.4";
  choice = choose(files);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice.value().index, 0u);
  EXPECT_EQ(choice.value().why, "most slices of 2 series");

  files.push_back(sagittal_slice(0));
  choice = choose(files);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice.value().index, 2u);
  EXPECT_EQ(choice.value().why, "the only sagittal series");

  choice = choose(files, "1.4");
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice.value().index, 1u);
  EXPECT_EQ(choice.value().why, "named by the user; the only one");
}

TEST(ChooseSeries, AmbiguousOnesAreListedAndRefused) {
  std::vector<DicomFacts> files = axial_stack(3, 1);
  for (int i = 0; i < 3; ++i) files.push_back(axial_slice(i)), files.back().series = "1.4";
  files[3].series_description = "Bone";
  expect_error(choose(files).status(), ErrorId::E_SERIES,
               {"several series", "1.2", "1.4 (Bone)", "axial, 8 x 6, 3 files"});
  expect_error(choose(files, "1.5").status(), ErrorId::E_SERIES, {"no series of this UID", "1.5", "1.4"});
  EXPECT_TRUE(choose(files, "1.4").ok());
  for (size_t i = 3; i < 6; ++i) files[i].study = "2";
  files.push_back(axial_slice(9));
  expect_error(choose(files).status(), ErrorId::E_SERIES, {"different studies"});
  expect_error(choose({}).status(), ErrorId::E_SERIES, {"no series"});
}

TEST(ChooseSeries, WithoutAUsableOneTheLargestSaysWhy) {
  std::vector<DicomFacts> files = axial_stack(4, 1);
  for (DicomFacts& facts : files) facts.modality = "MR";
  files[0].modality = "CT";
  files[0].image_type = {"LOCALIZER"};
  expect_error(choose(files).status(), ErrorId::E_MODALITY, {"MR"});
}

TEST(Orientation, IsTheLargestComponentOfTheNormal) {
  EXPECT_EQ(orientation_of({0.9, 0.3, -0.3}), Orientation::sagittal);
  EXPECT_EQ(orientation_of({0.1, -0.9, 0.3}), Orientation::coronal);
  EXPECT_EQ(orientation_of({0.5, 0.5, -0.9}), Orientation::axial);
  EXPECT_STREQ(orientation_name(Orientation::coronal), "coronal");
}

}  // namespace
}  // namespace spinert
