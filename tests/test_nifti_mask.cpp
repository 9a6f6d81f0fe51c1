// The mask of an examination: every voxel and where it lies, missing and failed slices, refusals. Read back with the
// project's own reader of NIfTI.
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>

#include "diagnosis/report/nifti_mask.h"
#include "diagnosis/studies/nifti.h"

namespace spinert {
namespace {

constexpr int kColumns = 12, kRows = 10;
constexpr double kStep = 3;

// Slices of an examination from the right to the left; head up, face to the left of the picture.
StudyResult study_of(int slices) {
  StudyResult study;
  study.examination.kind = "dicom";
  study.examination.stack = {{{}, slices, {0, 0, kStep}}, "sagittal", 0, {}};
  for (int i = 0; i < slices; ++i) {
    SliceResult slice;
    slice.source = "s" + std::to_string(i);
    slice.place = {{kColumns, kRows, {-20 + kStep * i, 5, 90}, {0, 0.5, 0}, {0, 0, -0.75}}, 0, false};
    study.slices.push_back(slice);
  }
  return study;
}

void add(StudyResult& study, int slice, int track, const Box& box) {
  auto& vertebrae = study.slices[static_cast<size_t>(slice)].vertebrae;
  vertebrae.push_back({.box = box});
  while (static_cast<int>(study.tracks.size()) < track) {
    study.tracks.push_back({});
    study.tracks.back().track.id = static_cast<int>(study.tracks.size());
  }
  auto& members = study.tracks[static_cast<size_t>(track - 1)].track.members;
  members.push_back({slice, static_cast<int>(vertebrae.size()) - 1});
}

std::string mask_of(const StudyResult& study) {
  std::string bytes;
  const Status status = write_nifti_mask(study, [&bytes](std::string_view part) {
    bytes += part;
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status.to_string();
  return bytes;
}

// The reader takes no volume without air for Hounsfield units: an intercept makes 0 to air. Values are label + kAir.
constexpr int16_t kAir = -1000;

Volume volume_of(const std::string& packed) {
  std::vector<uint8_t> bytes(1 << 20);
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = bytes.data();
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  inflateEnd(&stream);
  const float intercept = kAir;
  std::memcpy(bytes.data() + 116, &intercept, sizeof intercept);
  auto read = read_nifti(bytes, "mask.nii");
  EXPECT_TRUE(read.ok()) << read.status().to_string();
  return read.ok() ? std::move(read.value().volume) : Volume();
}

TEST(NiftiMask, EveryVoxelAndItsPlace) {
  StudyResult study = study_of(3);
  // A pixel belongs to a box if its centre does; 2.5 is the centre of the third one.
  add(study, 0, 1, {2.5f, 1.0f, 5.5f, 4.0f});
  add(study, 1, 1, {2.6f, 1.0f, 5.6f, 4.0f});
  add(study, 1, 2, {0.0f, 2.0f, 4.0f, 9.0f});       // overlaps the first one
  add(study, 2, 2, {-3.0f, 8.0f, 100.0f, 200.0f});  // reaches outside the picture
  const std::string bytes = mask_of(study);
  EXPECT_EQ(mask_of(study), bytes);
  const Volume volume = volume_of(bytes);
  ASSERT_EQ(volume.grid.slices, 3);
  ASSERT_EQ(volume.grid.plane.columns, kColumns);
  ASSERT_EQ(volume.grid.plane.rows, kRows);
  for (int k = 0; k < 3; ++k) {
    const Plane& plane = study.slices[static_cast<size_t>(k)].place->plane;
    EXPECT_LT(length(volume.grid.at(7, 4, k) - plane.at(7, 4)), 1e-4);
    for (int y = 0; y < kRows; ++y) {
      for (int x = 0; x < kColumns; ++x) {
        const bool first = y >= 1 && y < 4 && ((k == 0 && x >= 2 && x < 5) || (k == 1 && x >= 3 && x < 6));
        const bool second = k == 1 ? x < 4 && y >= 2 && y < 9 : k == 2 && y >= 8;
        int want = first ? 1 : second ? 2 : 0;
        // Column 3, rows 2 and 3 of slice 1 lie in both; their centres are 0.6 and 1.2 pixels from that of the first
        // box, 3.35 and 2.5 from that of the second.
        if (first && second) want = 1;
        EXPECT_EQ(volume.slices[static_cast<size_t>(k)].at(static_cast<size_t>(y * kColumns + x)), want + kAir)
            << x << ' ' << y << ' ' << k;
      }
    }
  }
}

TEST(NiftiMask, WhatWasNotLookedAtIsEmptyAndKeepsItsPlane) {
  StudyResult study = study_of(4);
  add(study, 0, 1, {0, 0, 6, 6});
  add(study, 3, 1, {0, 0, 6, 6});
  study.slices[1].place.reset();                 // could not be read
  study.slices.erase(study.slices.begin() + 2);  // a gap
  study.tracks[0].track.members[1].slice = 2;
  const Volume volume = volume_of(mask_of(study));
  ASSERT_EQ(volume.grid.slices, 4);
  for (const size_t k : {0, 1, 2, 3}) EXPECT_EQ(volume.slices[k].at(0), kAir + (k == 0 || k == 3 ? 1 : 0)) << k;
}

TEST(NiftiMask, OneSlice) {
  StudyResult study = study_of(1);
  add(study, 0, 1, {0, 0, 6, 6});
  const Volume volume = volume_of(mask_of(study));
  ASSERT_EQ(volume.grid.slices, 1);
  EXPECT_NEAR(length(volume.grid.slice_step), kStep, 1e-6);
}

TEST(NiftiMask, Refusals) {
  const Put lost = [](std::string_view) { return Status(); };
  EXPECT_TRUE(check_mask(study_of(1).examination).ok());
  EXPECT_EQ(check_mask(Examination()).id(), ErrorId::E_USAGE);
  StudyResult crooked = study_of(3);
  crooked.slices[1].place->plane.origin.x += kStep / 2;
  EXPECT_EQ(write_nifti_mask(crooked, lost).id(), ErrorId::E_INTERNAL);
  StudyResult turned = study_of(3);
  turned.slices[2].place->plane.row_step.y = 0.1;
  EXPECT_EQ(write_nifti_mask(turned, lost).id(), ErrorId::E_INTERNAL);
  EXPECT_EQ(write_nifti_mask(study_of(0), lost).id(), ErrorId::E_INTERNAL);
  const Put full = [](std::string_view) { return Status(error(ErrorId::E_OUTPUT, "full")); };
  EXPECT_EQ(write_nifti_mask(study_of(3), full).id(), ErrorId::E_OUTPUT);
}

}  // namespace
}  // namespace spinert
