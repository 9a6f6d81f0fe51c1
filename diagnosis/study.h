// study.h - from the results of single slices to a study. summarise(), declared in diagnosis/pipeline.h, gives the
// study its status and exit code; the helpers here make the entries that the pipeline cannot make.
#pragma once

#include <set>
#include <string>

#include "diagnosis/result.h"
#include "kernels/base/status.h"

namespace spinert {

// Stands on every output that the demo model made.
inline constexpr const char* kDemoNotice =
    "synthetic demo model: trained on synthetic slices, it shows that the engine works and diagnoses nobody";

// A slice that could not be read or run: status "failed", alert "review", the error as its reason.
SliceResult failed_slice(const std::string& source, const Status& status);

// A study that failed before any slice was looked at: status "failed", no slices, the exit code of the error.
void fail_study(StudyResult& study, const Status& status);

// The error line for a study that did not end with 0; OK if it did. where: the folder of its results, may be empty;
// first: the error of the first slice that could not be read.
Status study_problem(const StudyResult& study, const std::string& where, const Status& first);

// Replaces a path by its last part wherever it stands in a text: reports name files, never the folders they came from,
// which may name a patient and differ between two machines.
std::string without_folder(std::string text, const std::string& path);

// Names slices within one study: the cleaned file name, and "-2", "-3" before the extension for equal names.
class SourceNames {
 public:
  std::string add(const std::string& path);

 private:
  std::set<std::string> taken_;
};

}  // namespace spinert
