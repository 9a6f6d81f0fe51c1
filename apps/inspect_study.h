// inspect_study.h - what `spinert inspect` says of examinations: studies, their series, geometry, and what diagnose
// would do with them. Pixels of DICOM files are
// not decoded; pictures and NIfTI volumes are read.
#pragma once

#include <vector>

#include "diagnosis/studies/study_inputs.h"

namespace spinert::cli {

// Returns the exit code: that of the first study that would be refused.
int inspect_studies(const std::vector<StudyInput>& studies, const StudyOptions& options, bool as_json, bool json_log);

}  // namespace spinert::cli
