// sagittal_slice.h - one sagittal picture as the networks see it, whatever it was made from: head up, face to the left,
// square pixels, Hounsfield units, and where it lies in the patient.
#pragma once

#include <string>

#include "diagnosis/studies/volume.h"

namespace spinert {

struct SagittalSlice {
  HuSlice picture;
  double position_mm =
      0;               // along the left-right axis of the series, growing to the patient's left; see docs/studies.md
  std::string source;  // the file it was read from; of a reformatted one the name of the series with its position
  bool reformatted = false;
};

}  // namespace spinert
