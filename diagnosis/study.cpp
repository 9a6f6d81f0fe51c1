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

Status study_problem(const StudyResult& study, const std::string& where, const Status& first) {
  if (study.exit_code == 0) return {};
  if (study.error != ErrorId::OK) {
    const std::string text = study.reasons.empty() ? study.status : study.reasons.front().text;
    return error(study.error, text, where).hint("A person must look; all reasons are in the report.");
  }
  const auto count = [&study](const char* status) {
    return static_cast<size_t>(std::ranges::count(study.slices, status, &SliceResult::status));
  };
  const std::string of_all = " of " + counted(study.slices.size(), "slice");
  if (study.status == "partial") {
    return error(ErrorId::E_PARTIAL, std::to_string(count("failed")) + of_all + " failed", where)
        .hint("The reasons are in the report; give those slices again.");
  }
  // 143 is a cancelled run as well.
  const int code = study.exit_code > 128 ? exit_code(ErrorId::E_CANCELLED) : study.exit_code;
  ErrorId id = ErrorId::E_INTERNAL;
  for (const SliceResult& slice : study.slices) {
    if (slice.status != "completed" && exit_code(slice.error) == code) {
      id = slice.error;
      break;
    }
  }
  if (study.status == "indeterminate") {
    if (exit_code(id) != study.exit_code) id = ErrorId::E_NO_VERTEBRA;
    return error(id, std::to_string(count("indeterminate")) + of_all + " must not be read as negative", where)
        .hint("A person must look; the reasons are in the report.");
  }
  if (study.slices.size() > 1) {
    return error(id, std::to_string(count("failed")) + of_all + " failed", where)
        .hint("The reasons are in the report.");
  }
  if (!first.ok()) return first;
  std::string text = study.reasons.empty() ? study.status : study.reasons.back().text;
  while (text.ends_with('.')) text.pop_back();
  return error(id, text);
}

}  // namespace spinert
