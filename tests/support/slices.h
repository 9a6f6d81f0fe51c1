// slices.h - the facts of CT slices as a scanner would write them, for tests of the geometry.
#pragma once

#include <string>
#include <vector>

#include "diagnosis/studies/dicom_file.h"

namespace spinert::test {

// An axial slice of 8 x 6 pixels of 0.5 mm at z, of series "1.2" of study "1".
inline DicomFacts axial_slice(double z) {
  DicomFacts facts;
  facts.path = "z" + std::to_string(z);
  facts.modality = "CT";
  facts.photometric = "MONOCHROME2";
  facts.sop_class = "1.2.840.10008.5.1.4.1.1.2";
  facts.study = "1";
  facts.series = "1.2";
  facts.frame_of_reference = "1.9";
  facts.columns = 8;
  facts.rows = 6;
  facts.bits_allocated = 16;
  facts.bits_stored = 16;
  facts.high_bit = 15;
  facts.is_signed = true;
  facts.rescale_slope = 1;
  facts.rescale_intercept = -1024;
  facts.position = Vec3{-100, -120, z};
  facts.row_direction = Vec3{1, 0, 0};
  facts.column_direction = Vec3{0, 1, 0};
  facts.row_spacing = facts.column_spacing = 0.5;
  return facts;
}

inline std::vector<DicomFacts> axial_stack(int count, double step, double first = 0) {
  std::vector<DicomFacts> stack;
  for (int i = 0; i < count; ++i) stack.push_back(axial_slice(first + step * i));
  return stack;
}

}  // namespace spinert::test
