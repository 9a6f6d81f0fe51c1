// study.cpp - the status and exit code of a study (DESIGN section 9, "Several inputs"; SAFETY section 2).
#include "diagnosis/study.h"

#include <algorithm>

#include "diagnosis/pipeline.h"
#include "diagnosis/report/text.h"

namespace spinert {
namespace {

// "slice.png: sentence" for each reason that explains why this slice is not completed.
void carry_reasons(const SliceResult& slice, StudyResult& study) {
  const std::string code(error_name(slice.error));
  bool found = false;
  for (const Reason& reason : slice.reasons) {
    if (reason.code.rfind("E_", 0) != 0) continue;
    study.reasons.push_back({reason.code, slice.source + ": " + reason.text});
    found = true;
  }
  if (!found) study.reasons.push_back({code, slice.source + ": " + slice.status});
}

}  // namespace

SliceResult failed_slice(const std::string& source, const Status& status) {
  SliceResult slice;
  slice.source = source;
  slice.status = "failed";
  slice.alert = "review";
  slice.error = status.ok() ? ErrorId::E_INTERNAL : status.id();
  slice.reasons.push_back({std::string(error_name(slice.error)), clean_utf8(status.message())});
  return slice;
}

void fail_study(StudyResult& study, const Status& status) {
  study.status = "failed";
  study.alert = "review";
  study.slices.clear();
  study.exit_code = exit_code(status.id());
  study.reasons.push_back({std::string(error_name(status.id())), clean_utf8(status.message())});
}

std::string without_folder(std::string text, const std::string& path) {
  const std::string shown = clean_utf8(path), name = file_name_of(path);
  if (shown.empty() || shown == name) return text;
  for (size_t at = text.find(shown); at != std::string::npos; at = text.find(shown, at + name.size())) {
    text.replace(at, shown.size(), name);
  }
  return text;
}

std::string SourceNames::add(const std::string& path) {
  const std::string name = file_name_of(path);
  // The extension starts at the last dot that is not the first character.
  size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) dot = name.size();
  std::string unique = name;
  for (int i = 2; !taken_.insert(unique).second; ++i) {
    unique = name.substr(0, dot) + '-' + std::to_string(i) + name.substr(dot);
  }
  return unique;
}

void summarise(StudyResult& study) {
  if (study.slices.empty()) {
    fail_study(study, error(ErrorId::E_INPUT_EMPTY, "the study has no slice"));
    return;
  }
  // The worst of the slices; a slice that failed is one to review.
  const auto any = [&study](const char* alert) {
    return std::ranges::any_of(study.slices, [alert](const SliceResult& slice) { return slice.alert == alert; });
  };
  study.alert = any("positive") ? "positive" : any("review") ? "review" : "negative";
  size_t failed = 0, indeterminate = 0;
  // A run that was stopped ends with the code of its end, whatever the slices before it gave.
  ErrorId stopped = ErrorId::OK, first_failure = ErrorId::OK;
  for (const SliceResult& slice : study.slices) {
    if (slice.status == "completed") continue;
    carry_reasons(slice, study);
    if (slice.status != "failed") {
      ++indeterminate;
      continue;
    }
    ++failed;
    const ErrorId id = slice.error == ErrorId::OK ? ErrorId::E_INTERNAL : slice.error;
    if (first_failure == ErrorId::OK) first_failure = id;
    if (stopped == ErrorId::OK && (id == ErrorId::E_CANCELLED || id == ErrorId::E_TIMEOUT)) stopped = id;
  }
  if (stopped != ErrorId::OK) {
    study.status = "failed";
    study.exit_code = exit_code(stopped);
  } else if (failed == study.slices.size()) {
    study.status = "failed";
    study.exit_code = exit_code(first_failure);
  } else if (failed > 0) {
    study.status = "partial";
    study.exit_code = exit_code(ErrorId::E_PARTIAL);
  } else if (indeterminate > 0) {
    study.status = "indeterminate";
    study.exit_code = exit_code(ErrorId::E_NO_VERTEBRA);
  } else {
    study.status = "completed";
    study.exit_code = 0;
  }
}

}  // namespace spinert
