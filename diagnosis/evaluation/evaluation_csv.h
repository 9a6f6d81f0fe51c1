// evaluation_csv.h - the figures as tables for spreadsheets and plots; every row carries the research label. Columns:
// docs/evaluation.md. A figure that is not defined is an empty field.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "diagnosis/evaluation/evaluation.h"

namespace spinert::evaluation {

// File name and text of each table: classes, slices, precision_recall, roc, calibration, alerts and, where two systems
// were compared, comparison.
std::vector<std::pair<std::string, std::string>> evaluation_tables(const Evaluation& evaluation);

}  // namespace spinert::evaluation
