#include "diagnosis/report/earlier_files.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "diagnosis/report/nifti_mask.h"
#include "diagnosis/report/study_output.h"
#include "weights/file_reader.h"

namespace spinert {
namespace {

using nlohmann::json;

// Of {"volatile": {"files": [{"name": ...}]}}; a report has nothing deeper that matters here.
constexpr int kDepth = 4;
constexpr std::streamoff kMostBytes = std::streamoff{1} << 30;

std::string text_of(const json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// A name is taken only if it is one that preview_name() and its like can give: no path comes from a file.
bool ours(const std::string& name) {
  const auto gives = [&name](std::string_view prefix, std::string (*name_of)(const std::string&)) {
    return name.size() > prefix.size() + 4 && name.starts_with(prefix) && name_of(name.substr(prefix.size())) == name;
  };
  return gives("preview-", preview_name) || gives("slice-", slice_file_name) || gives("dicom-", dicom_name) ||
         name == kMaskName;
}

}  // namespace

std::vector<WrittenFile> earlier_files(const std::string& folder) {
  std::ifstream stream(folder + "/report.json", std::ios::binary | std::ios::ate);
  if (!stream || stream.tellg() > kMostBytes) return {};
  stream.seekg(0);
  const auto wanted = [](int depth, json::parse_event_t event, json& value) {
    if (event != json::parse_event_t::key) return depth <= kDepth;
    return depth > 2 || (depth == 1 && value == "volatile") || (depth == 2 && value == "files");
  };
  const json report = json::parse(stream, wanted, false);
  std::vector<WrittenFile> found;
  if (!report.is_object() || !report.contains("volatile") || !report["volatile"].is_object()) return found;
  const json files = report["volatile"].value("files", json::array());
  if (!files.is_array()) return found;
  for (const json& file : files) {
    WrittenFile written{text_of(file, "name"), text_of(file, "sha256"), {}};
    if (!ours(written.name)) continue;
    found.push_back(std::move(written));
  }
  return found;
}

bool unchanged(const std::string& folder, const WrittenFile& file) {
  const auto reader = FileReader::open(folder + '/' + file.name);
  if (!reader.ok()) return false;
  const auto hash = whole_file_sha256(reader.value());
  return hash.ok() && hash.value() == file.sha256;
}

}  // namespace spinert
