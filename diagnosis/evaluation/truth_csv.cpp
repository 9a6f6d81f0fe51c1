// truth_csv.cpp - truth as a table: one row for each vertebra, columns slice, x, y, width, height, labels, and
// optionally id, study, vertebra, slice_width, slice_height. A row with an empty box is a slice without vertebrae.
#include <algorithm>
#include <charconv>
#include <map>

#include "config/json.h"
#include "diagnosis/evaluation/csv.h"
#include "diagnosis/evaluation/truth.h"
#include "diagnosis/evaluation/truth_builder.h"

namespace spinert::evaluation {
namespace {

constexpr const char* kRequired[] = {"slice", "x", "y", "width", "height", "labels"};
constexpr const char* kOptional[] = {"id", "study", "vertebra", "slice_width", "slice_height"};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

template <class Number>
bool parse(std::string_view text, Number& value) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && result.ec == std::errc() && result.ptr == text.data() + text.size();
}

// "OVCF;KD" or "OVCF KD".
std::vector<std::string> split_labels(std::string_view text) {
  std::vector<std::string> labels;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("; "), text.size());
    if (end > 0) labels.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return labels;
}

class TableReader {
 public:
  TableReader(const std::vector<std::string>& class_names, const std::string& where)
      : builder_(class_names), where_(where) {}

  Result<Truth> read(const std::vector<CsvRow>& rows) {
    if (rows.empty()) return error(ErrorId::E_TRUTH, "the table is empty", where_);
    SPINERT_TRY(read_header(rows.front()));
    for (size_t i = 1; i < rows.size(); ++i) SPINERT_TRY(read_row(rows[i]));
    return builder_.finish(where_);
  }

 private:
  Status read_header(const CsvRow& header) {
    const auto known = [](const std::string& name) {
      return std::ranges::find(kRequired, name) != std::end(kRequired) ||
             std::ranges::find(kOptional, name) != std::end(kOptional);
    };
    for (size_t i = 0; i < header.fields.size(); ++i) {
      const std::string name(trimmed(header.fields[i]));
      if (!known(name)) return error(ErrorId::E_TRUTH, "unknown column \"" + printable(name) + "\"", where_);
      if (!columns_.insert({name, i}).second) {
        return error(ErrorId::E_TRUTH, "column \"" + printable(name) + "\" stands twice", where_);
      }
    }
    for (const char* name : kRequired) {
      if (columns_.count(name) == 0) {
        return error(ErrorId::E_TRUTH, std::string("column \"") + name + "\" is missing", where_)
            .hint("docs/evaluation.md shows the form.");
      }
    }
    return {};
  }

  std::string_view field(const CsvRow& row, const char* name) const {
    const auto at = columns_.find(name);
    return at == columns_.end() ? std::string_view() : trimmed(row.fields[at->second]);
  }

  Result<size_t> find_slice(const CsvRow& row, const std::string& place) {
    int64_t size[2] = {0, 0};
    const char* const names[] = {"slice_width", "slice_height"};
    for (int i = 0; i < 2; ++i) {
      const std::string_view text = field(row, names[i]);
      if (!text.empty() && (!parse(text, size[i]) || size[i] <= 0)) {
        return error(ErrorId::E_TRUTH, std::string(names[i]) + " is no positive whole number", place)
            .expected("pixels", printable(text));
      }
    }
    const std::string name(field(row, "slice")), study(field(row, "study"));
    const auto [at, fresh] = slices_.insert({{study, name}, 0});
    if (fresh) {
      SPINERT_ASSIGN(at->second, builder_.add_slice(name, study, size[0], size[1], place));
      return at->second;
    }
    const TruthSlice& slice = builder_.slice(at->second);
    if (slice.width != size[0] || slice.height != size[1]) {
      return error(ErrorId::E_TRUTH, "the size of the slice differs from an earlier row", place)
          .expected(std::to_string(slice.width) + " x " + std::to_string(slice.height),
                    std::to_string(size[0]) + " x " + std::to_string(size[1]));
    }
    return at->second;
  }

  Status read_row(const CsvRow& row) {
    std::string place = where_ + ": line " + std::to_string(row.line);
    const std::string id(field(row, "id"));
    if (!id.empty()) place += ", id " + printable(id);
    SPINERT_ASSIGN(const size_t slice, find_slice(row, place));
    double box[4];
    bool all_empty = true;
    for (int i = 0; i < 4; ++i) all_empty = all_empty && field(row, kRequired[i + 1]).empty();
    if (all_empty && field(row, "labels").empty()) return {};
    for (int i = 0; i < 4; ++i) {
      const std::string_view text = field(row, kRequired[i + 1]);
      if (!parse(text, box[i])) {
        return error(ErrorId::E_TRUTH, std::string("\"") + kRequired[i + 1] + "\" is no number", place)
            .expected("pixels", printable(text));
      }
    }
    return builder_.add_vertebra(slice, id, std::string(field(row, "vertebra")), box,
                                 split_labels(field(row, "labels")), place);
  }

  TruthBuilder builder_;
  const std::string& where_;
  std::map<std::string, size_t> columns_;
  std::map<std::pair<std::string, std::string>, size_t> slices_;
};

}  // namespace

Result<Truth> parse_truth_csv(std::string_view text, const std::vector<std::string>& class_names,
                              const std::string& where) {
  SPINERT_ASSIGN(const std::vector<CsvRow> rows, read_csv(text, ErrorId::E_TRUTH, where));
  return TableReader(class_names, where).read(rows);
}

}  // namespace spinert::evaluation
