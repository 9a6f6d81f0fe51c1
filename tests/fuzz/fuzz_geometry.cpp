// fuzz_geometry.cpp - a list of slices from the bytes: split into series, chosen, arranged, rescaled, reformatted.
// Every file ends in exactly one place, and what is arranged lies where its position says.
#include <cmath>
#include <set>

#include "diagnosis/studies/hounsfield.h"
#include "diagnosis/studies/reformat.h"
#include "diagnosis/studies/series.h"
#include "tests/fuzz/fuzz_bytes.h"
#include "tests/support/slices.h"

namespace {

using namespace spinert;

constexpr size_t kMaxFiles = 24;
constexpr int kMaxSlices = 64;

Vec3 direction(FuzzBytes& bytes, const Vec3& usual) {
  return {bytes.real(usual.x), bytes.real(usual.y), bytes.real(usual.z)};
}

// Three bytes of a slice are usual ones: a whole stack fits into a small input.
DicomFile slice_of(FuzzBytes& bytes, size_t number) {
  DicomFile file{test::axial_slice(0), {}};
  DicomFacts& facts = file.facts;
  facts.path = "slice " + std::to_string(number);
  facts.columns = 4;
  facts.rows = 3;
  facts.bits_stored = 12;
  facts.high_bit = 11;
  facts.is_signed = false;
  const uint8_t odd = bytes.take<uint8_t>();  // what is unusual about it
  const bool sagittal = odd & 128;
  const double along = static_cast<double>(number) + (odd & 1 ? bytes.real(0) * 10 : 0);
  facts.position = sagittal ? Vec3{along, 0, 0} : Vec3{0, 0, along};
  facts.row_direction = sagittal ? Vec3{0, 1, 0} : Vec3{1, 0, 0};
  facts.column_direction = sagittal ? Vec3{0, 0, -1} : Vec3{0, 1, 0};
  facts.row_spacing = facts.column_spacing = 1;
  if (odd & 2) facts.position = direction(bytes, *facts.position);
  if (odd & 4) facts.row_direction = direction(bytes, *facts.row_direction);
  if (odd & 8) facts.column_direction = direction(bytes, *facts.column_direction);
  if (odd & 16) facts.row_spacing = bytes.real(1), facts.column_spacing = bytes.real(1);
  if (odd & 32) {
    facts.rescale_slope = bytes.real(1);
    facts.rescale_intercept = bytes.real(-1024);
    facts.bits_allocated = bytes.take<int8_t>();
    facts.bits_stored = bytes.take<int8_t>();
    facts.high_bit = bytes.below(4) ? facts.bits_stored - 1 : bytes.take<int8_t>();
    facts.is_signed = bytes.below(2);
    facts.padding_value = bytes.take<int32_t>();
    if (bytes.below(2)) facts.padding_limit = bytes.take<int32_t>();
  }
  if (odd & 64) {
    switch (bytes.below(10)) {
      case 0: facts.modality = "MR"; break;
      case 1: facts.image_type = {"ORIGINAL", "PRIMARY", "LOCALIZER"}; break;
      case 2: facts.columns = bytes.below(4); break;
      case 3: facts.position.reset(); break;
      case 4: facts.row_direction.reset(); break;
      case 5: facts.column_spacing.reset(); break;
      case 6: facts.frame_of_reference = "1.3"; break;
      case 7: facts.series = "1.4"; break;
      case 8: facts.study = "2"; break;
      default: facts.frames = 2;
    }
  }
  const size_t pixels = static_cast<size_t>(facts.columns) * static_cast<size_t>(facts.rows);
  for (size_t i = 0; i < pixels; ++i) {
    file.stored.push_back(odd & 32 ? bytes.take<int16_t>() : static_cast<int32_t>(number * 100 + i));
  }
  return file;
}

void check_split(const std::vector<Series>& series, size_t files) {
  std::set<size_t> seen;
  for (const Series& one : series) {
    FUZZ_CHECK(!one.files.empty());
    for (const size_t file : one.files) FUZZ_CHECK(file < files && seen.insert(file).second);
  }
  FUZZ_CHECK(seen.size() == files);
}

void check_geometry(const SeriesGeometry& geometry, const std::vector<DicomFacts>& facts, size_t members) {
  FUZZ_CHECK(geometry.order.size() + geometry.duplicates.size() == members);
  FUZZ_CHECK(geometry.order.size() == geometry.place.size());
  FUZZ_CHECK(geometry.order.size() + geometry.missing.size() == static_cast<size_t>(geometry.grid.slices));
  FUZZ_CHECK(std::isfinite(geometry.tilt_degrees));
  for (size_t i = 0; i < geometry.order.size(); ++i) {
    const Vec3 off = geometry.grid.at(0, 0, geometry.place[i]) - *facts[geometry.order[i]].position;
    FUZZ_CHECK(length(off) <= 2 * kOffGridMm);
  }
}

void sample(const SeriesGeometry& geometry, const std::vector<DicomFile>& files, FuzzBytes& bytes) {
  if (geometry.grid.slices > kMaxSlices) return;
  Volume volume{geometry.grid, {}};
  const size_t pixels =
      static_cast<size_t>(geometry.grid.plane.columns) * static_cast<size_t>(geometry.grid.plane.rows);
  volume.slices.resize(static_cast<size_t>(geometry.grid.slices));
  for (size_t i = 0; i < geometry.order.size(); ++i) {
    const auto slice = to_hounsfield(files[geometry.order[i]]);
    if (!slice.ok()) return;
    FUZZ_CHECK(slice.value().hu.size() == pixels);
    volume.slices[static_cast<size_t>(geometry.place[i])] = slice.value().hu;
    const auto picture = upright(slice.value(), bytes.real(0.8));
    if (picture.ok()) {
      FUZZ_CHECK(picture.value().plane.column_step.y >= 0 && picture.value().plane.row_step.z <= 0);
    }
  }
  const auto plan =
      plan_reformat(volume, {.mm_per_pixel = bytes.real(0.7), .step_mm = bytes.real(1), .max_slice_mm = 50});
  if (plan.ok()) {
    for (const Plane& plane : plan.value().planes) {
      if (plane.columns * plane.rows > 1 << 14) continue;
      FUZZ_CHECK(sample_plane(volume, plane).hu.size() ==
                 static_cast<size_t>(plane.columns) * static_cast<size_t>(plane.rows));
    }
  }
  const Plane any{5, 4, direction(bytes, {}), direction(bytes, {0.5, 0, 0}), direction(bytes, {0, 0.2, 0.5})};
  FUZZ_CHECK(sample_plane(volume, any).hu.size() == 20);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FuzzBytes bytes(data, size);
  const int allowed = bytes.below(2) ? bytes.below(200) : 0;
  std::vector<DicomFile> files;
  std::vector<DicomFacts> facts;
  while (bytes.left() > 0 && files.size() < kMaxFiles) {
    files.push_back(slice_of(bytes, files.size()));
    facts.push_back(files.back().facts);
  }
  const std::vector<Series> series = split_series(facts);
  check_split(series, facts.size());
  const auto choice = choose_series(series, facts);
  if (choice.ok()) FUZZ_CHECK(series[choice.value().index].problem.ok());
  for (const Series& one : series) {
    const auto geometry = arrange_series(facts, one.files, allowed);
    if (!geometry.ok()) continue;
    check_geometry(geometry.value(), facts, one.files.size());
    FuzzBytes again(data, size);
    sample(geometry.value(), files, again);
  }
  return 0;
}
