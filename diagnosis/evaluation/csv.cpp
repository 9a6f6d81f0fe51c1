#include "diagnosis/evaluation/csv.h"

#include <cmath>

#include "config/json.h"
#include "diagnosis/report/text.h"
#include "diagnosis/result.h"

namespace spinert::evaluation {
namespace {

std::string in_quotes(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace

Result<std::vector<CsvRow>> read_csv(std::string_view text, ErrorId id, const std::string& where) {
  if (!valid_utf8(text)) return error(id, "the table is not valid UTF-8", where);
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  std::vector<CsvRow> rows;
  size_t line = 1, at = 0;
  const auto place = [&where](size_t number) { return where + ": line " + std::to_string(number); };
  while (at < text.size()) {
    CsvRow row;
    row.line = line;
    bool more = true;
    while (more) {
      std::string field;
      if (at < text.size() && text[at] == '"') {
        const size_t opened = line;
        for (++at;; ++at) {
          if (at >= text.size()) return error(id, "a quoted field never ends", place(opened));
          if (text[at] == '"') {
            if (at + 1 < text.size() && text[at + 1] == '"') {
              ++at;
            } else {
              break;
            }
          }
          if (text[at] == '\n') ++line;
          field += text[at];
        }
        ++at;
        const bool ends = at >= text.size() || text[at] == ',' || text[at] == '\n' || text[at] == '\r';
        if (!ends) return error(id, "text after a quoted field", place(line));
      } else {
        while (at < text.size() && text[at] != ',' && text[at] != '\n' && text[at] != '\r') field += text[at++];
      }
      row.fields.push_back(std::move(field));
      more = at < text.size() && text[at] == ',';
      if (more) ++at;
    }
    if (at < text.size() && text[at] == '\r') ++at;
    if (at < text.size() && text[at] == '\n') {
      ++at;
      ++line;
    }
    if (row.fields.size() == 1 && row.fields[0].empty()) continue;
    if (!rows.empty() && row.fields.size() != rows.front().fields.size()) {
      return error(id, "a row has another number of fields than the header", place(row.line))
          .expected(std::to_string(rows.front().fields.size()), std::to_string(row.fields.size()));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

CsvTable::CsvTable(const std::vector<std::string>& columns) {
  for (const std::string& name : columns) field(name);
  field("label");
  out_ += '\n';
  first_ = true;
}

void CsvTable::field(std::string_view ready) {
  if (!first_) out_ += ',';
  first_ = false;
  out_ += ready;
}

CsvTable& CsvTable::text(std::string_view value) {
  std::string clean = clean_utf8(value);
  // A spreadsheet would take such a name for a formula.
  if (!clean.empty() && std::string_view("=+-@").find(clean[0]) != std::string_view::npos) clean = '\'' + clean;
  const bool plain = clean.find_first_of(",\"") == std::string::npos;
  field(plain ? clean : in_quotes(clean));
  return *this;
}

CsvTable& CsvTable::number(double value) {
  field(std::isfinite(value) ? exact_number(value) : std::string());
  return *this;
}

CsvTable& CsvTable::integer(long long value) {
  field(std::to_string(value));
  return *this;
}

void CsvTable::end_row() {
  field(kResearchLabel);
  out_ += '\n';
  first_ = true;
}

}  // namespace spinert::evaluation
