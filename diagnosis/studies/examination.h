// examination.h - what was examined and how sagittal slices were made from it: the part of a report that lets a reader
// find every pixel again. Plain structs; docs/file-format.md describes how they are written.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnosis/reason.h"
#include "diagnosis/studies/patient_space.h"

namespace spinert {

// Where a slice lies in the patient.
struct SlicePlace {
  Plane plane;             // of the picture that the networks saw and that boxes are given in
  double position_mm = 0;  // across the patient, growing to the left; of a reformatted slice from the midline
  bool reformatted = false;
};

// Of a series or volume whose slices lie in a regular stack.
struct StackFacts {
  Grid grid;                // of the source, as it came
  std::string orientation;  // sagittal, coronal, axial
  double tilt_degrees = 0;
  std::vector<double> gaps_mm;  // missing slices, from the first slice along the stack; allowed on request
};

struct ReformatFacts {
  double mm_per_pixel = 0, step_mm = 0;
  bool fast = false;                // planes were left out on request
  double midline_mm = 0;            // along the left-right axis of the volume
  std::vector<double> position_mm;  // of each slice, from the midline
};

struct Examination {
  std::string kind = "pictures";  // pictures, dicom, nifti
  std::string study_uid, series_uid, frame_of_reference_uid, patient_position;
  std::vector<std::string> transfer_syntaxes;
  int files = 0;              // of the series
  std::string files_sha256;   // of the whole study, see study_sha256()
  std::string series_choice;  // the rule that chose the series
  std::string transform;      // of NIfTI: sform or qform
  bool lossy = false;
  bool incomplete = false;    // a part was left out on request: the study is at best "partial"
  std::vector<Reason> notes;  // what a reader of the result must know, among them what is incomplete
  std::optional<StackFacts> stack;
  std::optional<ReformatFacts> reformat;
};

}  // namespace spinert
