// examination_result.h - the last step of an examination: tracks, their measurements, status and alert of the study.
#pragma once

#include "config/pipeline_config.h"
#include "diagnosis/result.h"
#include "diagnosis/slice_source.h"

namespace spinert {

// Fills tracks, status, alert, reasons and exit code of a study whose slices are all there. The slices that show a
// track best are read from `source` once more, for the measurements.
void judge_examination(StudyResult& study, SliceSource& source, const PipelineConfig& config);

}  // namespace spinert
