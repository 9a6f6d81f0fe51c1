// batch_summary.h - summary.csv of a run over several studies, one row for each, and what --resume asks of a folder:
// whether the result in it is that of the same study, model and settings.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "diagnosis/result.h"
#include "kernels/base/status.h"

namespace spinert {

struct BatchRow {
  std::string study;  // name of its folder
  std::string kind, status, alert, error;
  int exit_code = 0;
  int64_t slices = 0;
};

// error: the name of an error id, empty if there is none.
BatchRow batch_row(const std::string& name, const StudyResult& study);

// Header and rows; every row ends with the label that each output carries.
std::string summary_csv(std::span<const BatchRow> rows);

// 0 if every study ended with 0, the code that all of them share, else E_PARTIAL's.
int batch_exit_code(std::span<const BatchRow> rows);

// What must be the same for a result to stand.
struct ResumeKey {
  std::string model_sha256, files_sha256, command_line;
};

// The row of a finished result in `folder`: completed or indeterminate, and made of the same files (whose hash is not
// empty: pictures have none) with the same model and options. Nothing if there is none, or one that cannot be read,
// failed, or differs.
std::optional<BatchRow> finished_row(const std::string& folder, const std::string& name, const ResumeKey& key);

}  // namespace spinert
