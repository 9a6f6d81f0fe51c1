#include "diagnosis/report/batch_summary.h"

#include <algorithm>
#include <array>

#include "config/json.h"
#include "diagnosis/evaluation/csv.h"
#include "diagnosis/images/input_file.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

constexpr uint64_t kMaxReport = uint64_t{1} << 30;

std::string text_at(const nlohmann::json& object, const char* pointer) {
  const nlohmann::json::json_pointer place(pointer);
  return object.contains(place) && object[place].is_string() ? object[place].get<std::string>() : std::string();
}

}  // namespace

BatchRow batch_row(const std::string& name, const StudyResult& study) {
  BatchRow row{name, study.examination.kind, study.status, study.alert, {}, study.exit_code, 0};
  row.slices = static_cast<int64_t>(study.slices.size());
  if (study.error != ErrorId::OK) {
    row.error = error_name(study.error);
  } else if (study.exit_code != 0 && !study.reasons.empty()) {
    row.error = study.reasons.front().code;
  }
  return row;
}

std::string summary_csv(std::span<const BatchRow> rows) {
  evaluation::CsvTable csv({"study", "kind", "status", "alert", "exit_code", "error", "slices"});
  for (const BatchRow& row : rows) {
    csv.text(row.study).text(row.kind).text(row.status).text(row.alert).integer(row.exit_code).text(row.error);
    csv.integer(row.slices).end_row();
  }
  return csv.str();
}

int batch_exit_code(std::span<const BatchRow> rows) {
  if (rows.empty()) return exit_code(ErrorId::E_INPUT_EMPTY);
  const int first = rows.front().exit_code;
  const bool alike = std::ranges::all_of(rows, [first](const BatchRow& row) { return row.exit_code == first; });
  return alike ? first : exit_code(ErrorId::E_PARTIAL);
}

std::optional<BatchRow> finished_row(const std::string& folder, const std::string& name, const ResumeKey& key) {
  if (key.files_sha256.empty()) return std::nullopt;  // not known to be the same files
  const std::string path = folder + "/report.json";
  const auto bytes = read_input_file(path, kMaxReport);
  if (!bytes.ok()) return std::nullopt;
  const std::string_view text(reinterpret_cast<const char*>(bytes.value().data()), bytes.value().size());
  // A report of thousands of slices is never a tree as a whole.
  constexpr std::array<std::string_view, 1> kArrays{"slices"};
  const JsonElement drop = [](std::string_view, size_t, nlohmann::json&) { return Status(); };
  const auto report = stream_json(text, kArrays, drop, ErrorId::E_REPORT, path);
  if (!report.ok() || !report.value().is_object()) return std::nullopt;
  const nlohmann::json& json = report.value();
  const std::string status = text_at(json, "/status");
  const bool same = text_at(json, "/model/sha256") == key.model_sha256 &&
                    text_at(json, "/input/files_sha256") == key.files_sha256 &&
                    text_at(json, "/volatile/command_line") == key.command_line;
  if (!same || (status != "completed" && status != "indeterminate")) return std::nullopt;
  const nlohmann::json::json_pointer code("/exit_code"), slices("/input/slices");
  if (!json.contains(code) || !json[code].is_number_unsigned()) return std::nullopt;
  BatchRow row{name, text_at(json, "/input/kind"), status, text_at(json, "/alert"), {}, json[code].get<int>(), 0};
  if (json.contains(slices) && json[slices].is_number_unsigned()) row.slices = json[slices].get<int64_t>();
  // The error id of the study, which need not be its first reason.
  for (int i = 0; row.exit_code != 0 && !row.error.starts_with("E_"); ++i) {
    const std::string reason = text_at(json, ("/reasons/" + std::to_string(i) + "/code").c_str());
    if (reason.empty()) break;
    if (i == 0 || reason.starts_with("E_")) row.error = reason;
  }
  return row;
}

}  // namespace spinert
