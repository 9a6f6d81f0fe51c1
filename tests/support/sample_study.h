// sample_study.h - a hand-made study for the tests of reports: every status, label and consistency once.
#pragma once

#include "diagnosis/report/report_json.h"
#include "diagnosis/result.h"

namespace spinert::sample {

// Two completed slices (one with a contradictory and an unlabelled vertebra), an indeterminate and a failed one.
StudyResult study();
ReportFacts facts();

}  // namespace spinert::sample
