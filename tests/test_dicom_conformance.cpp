// test_dicom_conformance.cpp - every file of ../shared/dicom-conformance and ../shared/ct: the stored values are those
// of pydicom, or the file is refused with the error that tests/golden/dicom_expected.tsv lists with its reason. Skipped
// where the files are missing. docs/dicom-conformance.md is the outcome as a table; SPINERT_WRITE_TABLES=1 writes it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/dicom_worker.h"
#include "tests/support/files.h"
#include "tests/support/golden_check.h"
#include "weights/sha256.h"

namespace spinert {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = SPINERT_SOURCE_DIR;
constexpr size_t kSamples = 256;  // dicom_conformance.py takes as many

std::vector<std::vector<std::string>> table(const fs::path& path) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(golden::read_text(path.string()));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string> cells;
    std::istringstream rest(line);
    for (std::string cell; std::getline(rest, cell, '\t');) cells.push_back(cell);
    rows.push_back(cells);
  }
  rows.erase(rows.begin());  // names of the columns
  return rows;
}

// What pydicom gave for a file, and what is expected of us: "equal", "within N", or an error id.
struct Row {
  std::string file, pydicom, syntax, hash, samples;
  std::string expected = "equal", reason;
};

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const auto& cells : table(kRoot / "tests/golden/dicom_conformance.tsv.gz")) {
    all.push_back({cells.at(0), cells.at(1), cells.at(2), cells.at(5), cells.at(6), "equal", ""});
  }
  for (const auto& cells : table(kRoot / "tests/golden/dicom_expected.tsv")) {
    const auto row = std::find_if(all.begin(), all.end(), [&](const Row& r) { return r.file == cells.at(0); });
    if (row == all.end()) {
      ADD_FAILURE() << cells.at(0) << " is expected but not in dicom_conformance.tsv";
      continue;
    }
    row->expected = cells.at(1);
    row->reason = cells.at(2);
  }
  return all;
}

std::string hash_of(const std::vector<int32_t>& values) {
  return to_hex(sha256(values.data(), values.size() * sizeof(int32_t)));
}

// The largest difference from pydicom's samples; -1 if there are not as many.
int largest_difference(const std::vector<int32_t>& values, const std::string& samples) {
  if (samples == "-") return -1;
  std::istringstream rest(samples);
  const size_t step = std::max<size_t>(1, values.size() / kSamples);
  int largest = 0;
  size_t at = 0;
  for (std::string sample; std::getline(rest, sample, ','); at += step) {
    if (at >= values.size()) return -1;
    largest = std::max(largest, std::abs(values[at] - std::stoi(sample)));
  }
  return at >= values.size() ? largest : -1;
}

// How a file was met: "equal", "within N", or the error id. Everything else is a failure of the test.
std::string outcome(const Row& row, const Result<DicomFile>& file) {
  if (!file.ok()) return std::string(error_name(file.status().id()));
  if (row.pydicom != "pixels") return "read";
  // The values lie in memory in little-endian order on every machine that this runs on.
  if (hash_of(file.value().stored) == row.hash) return "equal";
  const int difference = largest_difference(file.value().stored, row.samples);
  if (difference < 0) return "other values";
  // "within 1" is a limit: where decoders round differently, the samples of a picture may happen to agree.
  const bool allowed = row.expected.starts_with("within ") && difference <= std::stoi(row.expected.substr(7));
  return allowed ? row.expected : "within " + std::to_string(difference);
}

// Whether SpineRT would use it as a CT slice.
std::string as_slice(const Result<DicomFacts>& facts) {
  const Status status = facts.ok() ? check_usable(facts.value()) : facts.status();
  return status.ok() ? "used" : std::string(error_name(status.id()));
}

class Document {
 public:
  void add(const Row& row, const std::string& met, const std::string& slice) {
    const fs::path path = row.file;
    const bool grouped = path.parent_path() == "ct/axial-series";
    const std::string name = grouped ? "ct/axial-series/*" : row.file;
    const std::string line = "| `" + name + "` | " + row.syntax + " | " + row.pydicom + " | " + met + " | " + slice +
                             " | " + row.reason + " |";
    if (std::find(lines_.begin(), lines_.end(), line) == lines_.end()) lines_.push_back(line);
    ++count_;
    ++outcomes_[met];
  }
  std::string text() const {
    std::string out =
        "# DICOM conformance\n"
        "Written by `tests/test_dicom_conformance.cpp` (with `SPINERT_WRITE_TABLES=1`) from a run over "
        "`../shared/dicom-conformance` and\n`../shared/ct`; the test fails when this is out of date. \"equal\": the "
        "stored values have the hash of\npydicom's (`tests/golden/dicom_conformance.py`). \"within N\": sampled values "
        "differ by N at most. \"read\": "
        "pydicom gives no\npixels to compare with. \"As a slice\": what `check_usable` says about it.\n\n";
    out += std::to_string(count_) + " files:";
    std::string separator = " ";
    for (const auto& [met, count] : outcomes_) {
      out += separator + std::to_string(count) + " " + met;
      separator = ", ";
    }
    out += ".\n\n| file | transfer syntax | pydicom | read | as a slice | remark |\n|---|---|---|---|---|---|\n";
    for (const std::string& line : lines_) out += line + "\n";
    return out;
  }

 private:
  std::vector<std::string> lines_;
  std::map<std::string, int> outcomes_;
  int count_ = 0;
};

TEST(DicomConformance, EveryFile) {
  const fs::path shared = kRoot / "../shared";
  if (find_dicom_program().empty()) GTEST_SKIP() << "built without DCMTK: no spinert-dicom";
  if (!fs::is_directory(shared / "dicom-conformance") || !fs::is_directory(shared / "ct")) {
    GTEST_SKIP() << "no ../shared/dicom-conformance or no ../shared/ct: " << rows().size() << " files not compared";
  }
  auto worker = DicomWorker::start();
  ASSERT_TRUE(worker.ok()) << worker.status().to_string();
  Document document;
  size_t missing = 0;
  for (const Row& row : rows()) {
    const std::string path = (shared / row.file).string();
    if (!fs::exists(path)) {
      ++missing;
      continue;
    }
    const auto facts = worker.value()->read_facts(path);
    const auto file = worker.value()->read(path);
    const std::string met = outcome(row, file);
    EXPECT_EQ(met, row.expected) << row.file << " (pydicom: " << row.pydicom << "): " << file.status().to_string();
    if (facts.ok() && file.ok()) {
      EXPECT_EQ(facts.value().sha256, file.value().facts.sha256);
    }
    document.add(row, met, as_slice(facts));
  }
  EXPECT_EQ(missing, 0u) << "files of dicom_conformance.tsv are not there";
  const fs::path place = kRoot / "docs/dicom-conformance.md";
  const std::string text = document.text();
  if (std::getenv("SPINERT_WRITE_TABLES") != nullptr) {
    write_file(place.string(), text);
  } else {
    EXPECT_EQ(read_file(place.string()), text) << "out of date: run this test with SPINERT_WRITE_TABLES=1";
  }
}

}  // namespace
}  // namespace spinert
