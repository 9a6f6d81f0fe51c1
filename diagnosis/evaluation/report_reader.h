// report_reader.h - takes existing reports (report.json, docs/file-format.md) as the results of one system. Slices are
// read one by one, so a report of many slices costs its text and what is kept of it, never its whole tree.
//
// Reports of different models or thresholds are not one system: E_REPORT, as for every field that is missing or
// impossible; the report and the slice are named. A report that failed as a whole names no slices; what it did not look
// at stays unknown, so it is E_REPORT as well. Other errors: E_INPUT_EMPTY (no report in the folder), E_INPUT_READ,
// E_INPUT_CHANGED, E_OOM_HOST.
#pragma once

#include <string>
#include <string_view>

#include "diagnosis/evaluation/records.h"
#include "kernels/base/status.h"

namespace spinert::evaluation {

// `path`: one report.json, or a folder; every file of that name below it is read, in natural order.
Result<System> read_reports(const std::string& path);

// Adds the slices of one report to `system`, which is empty or holds those of other reports. `study`: the name that its
// slices get.
Status add_report(std::string_view text, const std::string& study, const std::string& where, System& system);

// The truth of a second person as a system: every box has the score 1 and its labels the probability 1.
System reader_as_system(const Truth& truth, const std::string& name);

}  // namespace spinert::evaluation
