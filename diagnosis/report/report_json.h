// report_json.h - report.json of a study; every field is described in docs/file-format.md and fixed by
// report.schema.json beside this file.
//
// Everything outside "volatile" is the same bytes for the same input, model, build, ISA and device class. That part is
// the text from the first byte to the line that opens "volatile"; its SHA-256 stands in
// volatile.deterministic_sha256, and `sed '/^  "volatile"/,$d' report.json | sha256sum` gives the same value.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "diagnosis/report/parts.h"
#include "diagnosis/result.h"

namespace spinert {

inline constexpr const char* kReportSchema = "spinert.report/1";

// A file written beside the report.
struct WrittenFile {
  std::string name, sha256;
  std::string source;  // the slice that it shows; empty for the page of the whole study
};

// What a report says that is not part of the diagnosis.
struct ReportFacts {
  std::map<std::string, std::string> tool;  // build_info(): version, commit, compiler, flags
  // Volatile from here on.
  std::string time_utc;      // "2024-05-01T12:00:00Z"
  std::string host;          // the processor's name, as the system gives it
  std::string command_line;  // options only: paths may name a patient
  std::vector<WrittenFile> files;
};

// A study without any slice that ended otherwise than "failed" has no "slices"; its reasons name every failure.
std::string report_json(const StudyResult& study, const ReportFacts& facts);

// The same in parts, so that the report of a long study is never in memory as a whole: slice_json() when a slice is
// done, with comma and line break as its place in the list demands; write_report_json() at the end, where `slices` puts
// those texts in order. It is not called for a study without "slices". Of study.slices only names, statuses and
// the times are read.
std::string slice_json(const StudyResult& study, const SliceResult& slice, size_t index);
Status write_report_json(const StudyResult& study, const ReportFacts& facts, const PutParts& slices, const Put& put);

// Versions of the libraries that this build reads pictures and files with.
std::map<std::string, std::string> dependency_versions();

}  // namespace spinert
