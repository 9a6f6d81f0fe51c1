// result_table.h - the result of a study as text: one row per vertebra, in columns; of an examination
// one row per vertebra of the study.
#pragma once

#include <cstdio>

#include "diagnosis/result.h"

namespace spinert::cli {

void print_table(const StudyResult& study, FILE* to);

}  // namespace spinert::cli
