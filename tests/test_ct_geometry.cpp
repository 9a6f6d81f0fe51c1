// test_ct_geometry.cpp - the public CT volumes beside the source tree: values, places and reformatted pixels agree with
// nibabel and SciPy, which computed them from the rules alone (tests/golden/ct_geometry.py).
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diagnosis/input.h"
#include "diagnosis/studies/dicom_volume.h"
#include "diagnosis/studies/nifti.h"
#include "diagnosis/studies/reformat.h"
#include "diagnosis/studies/study_inputs.h"
#include "tests/support/files.h"
#include "tests/support/golden_check.h"

namespace spinert {
namespace {

using nlohmann::json;

constexpr double kPlaceMm = 1e-3;  // what was asked for; the sums here differ by about 1e-12
constexpr double kHu = 1;          // rounding to whole units takes half of it

Vec3 vector_of(const json& v) {
  return {v[0].get<double>(), v[1].get<double>(), v[2].get<double>()};
}

void expect_near(const Vec3& got, const json& wanted, const std::string& what) {
  EXPECT_LE(length(got - vector_of(wanted)), kPlaceMm) << what << ": " << got.x << ", " << got.y << ", " << got.z;
}

void check_volume(const Volume& volume, const json& wanted) {
  const Grid& grid = volume.grid;
  const json shape = {grid.plane.columns, grid.plane.rows, grid.slices};
  ASSERT_EQ(shape, wanted["shape"]);
  EXPECT_NEAR(length(grid.plane.column_step), wanted["spacing_mm"][0].get<double>(), kPlaceMm);
  EXPECT_NEAR(length(grid.plane.row_step), wanted["spacing_mm"][1].get<double>(), kPlaceMm);
  EXPECT_NEAR(length(grid.slice_step), wanted["spacing_mm"][2].get<double>(), kPlaceMm);
  expect_near(grid.at(0, 0, 0), wanted["first_mm"], "first voxel");
  expect_near(grid.at(grid.plane.columns - 1, grid.plane.rows - 1, grid.slices - 1), wanted["last_mm"], "last voxel");
  int64_t sum = 0;
  for (const auto& slice : volume.slices) {
    for (const int16_t hu : slice) sum += hu;
  }
  EXPECT_EQ(sum, wanted["sum"].get<int64_t>());
  for (const json& voxel : wanted["voxels"]) {
    EXPECT_EQ(volume.row(voxel[2], voxel[1])[voxel[0].get<size_t>()], voxel[3].get<int>()) << voxel;
  }
}

void check_planes(const Volume& volume, const json& rules, const json& wanted) {
  const auto plan = plan_reformat(
      volume,
      {.mm_per_pixel = rules["mm_per_pixel"], .step_mm = rules["step_mm"], .half_width_mm = rules["half_width_mm"]});
  ASSERT_TRUE(plan.ok()) << plan.status().to_string();
  EXPECT_NEAR(plan.value().midline_mm, wanted["midline_mm"].get<double>(), kPlaceMm);
  EXPECT_NEAR(plan.value().step_mm, wanted["step_mm"].get<double>(), kPlaceMm);
  const std::vector<Plane>& planes = plan.value().planes;
  ASSERT_EQ(planes.size(), wanted["origins"].size());
  std::vector<HuSlice> pictures;
  for (size_t i = 0; i < planes.size(); ++i) {
    EXPECT_EQ(planes[i].columns, wanted["columns"].get<int>());
    EXPECT_EQ(planes[i].rows, wanted["rows"].get<int>());
    expect_near(planes[i].origin, wanted["origins"][i], "plane " + std::to_string(i));
    expect_near(planes[i].column_step, wanted["column_step"], "column step");
    expect_near(planes[i].row_step, wanted["row_step"], "row step");
    EXPECT_NEAR(plan.value().position_mm[i], wanted["positions_mm"][i].get<double>(), kPlaceMm);
    pictures.push_back(sample_plane(volume, planes[i]));
  }
  ASSERT_GT(wanted["pixels"].size(), 100u);
  int inside = 0;
  for (const json& pixel : wanted["pixels"]) {
    const HuSlice& picture = pictures.at(pixel[0]);
    const auto index = pixel[2].get<size_t>() * static_cast<size_t>(picture.plane.columns) + pixel[1].get<size_t>();
    EXPECT_NEAR(picture.hu.at(index), pixel[3].get<double>(), kHu) << pixel;
    inside += std::abs(pixel[3].get<double>() - kAirHu) > 1;
  }
  EXPECT_GT(inside, 100);
}

TEST(CtGeometry, NiftiVolumesAgreeWithNibabelAndScipy) {
  const json golden = golden::load(SPINERT_SOURCE_DIR "/tests/golden/ct_geometry.golden.json.gz");
  const std::string folder = SPINERT_SOURCE_DIR "/../shared/ct/nifti/";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no ../shared/ct/nifti beside the source tree";
  ASSERT_EQ(golden["nifti"].size(), 2u);
  for (const json& wanted : golden["nifti"]) {
    SCOPED_TRACE(wanted["file"].get<std::string>());
    const auto file = read_nifti(folder + wanted["file"].get<std::string>());
    ASSERT_TRUE(file.ok()) << file.status().to_string();
    EXPECT_EQ(file.value().sha256, wanted["sha256"].get<std::string>());
    check_volume(file.value().volume, wanted);
    check_planes(file.value().volume, golden["rules"], wanted);
  }
}

// The same by way of the decoder's process, from files whose names say nothing of their order.
TEST(CtGeometry, TheAxialSeriesAgreesWithPydicomAndScipy) {
  const json golden = golden::load(SPINERT_SOURCE_DIR "/tests/golden/ct_geometry.golden.json.gz")["dicom"];
  const std::string folder = SPINERT_SOURCE_DIR "/../shared/ct/axial-series";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no ../shared/ct/axial-series beside the source tree";
  if (find_dicom_program().empty()) GTEST_SKIP() << "built without DCMTK";
  const auto list = expand_inputs(std::vector<std::string>{folder});
  ASSERT_TRUE(list.ok());
  DicomReaders readers(2);
  const std::vector<StudyInput> studies = group_studies(list.value().inputs, readers, {});
  ASSERT_EQ(studies.size(), 1u);
  const std::vector<DicomFacts>& facts = studies[0].dicom;
  const std::vector<Series> series = split_series(facts);
  ASSERT_EQ(series.size(), 1u);
  const auto geometry = arrange_series(facts, series[0].files);
  ASSERT_TRUE(geometry.ok()) << geometry.status().to_string();
  std::vector<std::string> order;
  for (const size_t file : geometry.value().order) {
    order.push_back(std::filesystem::path(facts[file].path).filename().string());
  }
  EXPECT_EQ(json(order), golden["order"]);
  const auto volume = read_dicom_volume(facts, geometry.value(), readers, {});
  ASSERT_TRUE(volume.ok()) << volume.status().to_string();
  check_volume(volume.value(), golden);
  check_planes(volume.value(), golden::load(SPINERT_SOURCE_DIR "/tests/golden/ct_geometry.golden.json.gz")["rules"],
               golden);
}

}  // namespace
}  // namespace spinert
