// csv.h - tables as text (RFC 4180): reading for truth, writing for results. Fields are separated by commas; one with a
// comma, a quote or a line end stands in double quotes. The first row names the columns.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace spinert::evaluation {

struct CsvRow {
  size_t line = 0;  // in the file, from 1
  std::vector<std::string> fields;
};

// Rows of equal width, the header first. Empty lines are skipped; a byte order mark in front is allowed. Errors: `id`
// with the line (a quote that never ends, another number of fields than the header, text that is not UTF-8).
Result<std::vector<CsvRow>> read_csv(std::string_view text, ErrorId id, const std::string& where);

class CsvTable {
 public:
  // Every row ends with the research label, in a column of its own.
  explicit CsvTable(const std::vector<std::string>& columns);
  CsvTable& text(std::string_view value);
  CsvTable& number(double value);  // empty if it is not a finite number
  CsvTable& integer(long long value);
  void end_row();
  const std::string& str() const { return out_; }

 private:
  void field(std::string_view ready);
  std::string out_;
  bool first_ = true;
};

}  // namespace spinert::evaluation
