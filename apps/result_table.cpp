#include "apps/result_table.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"
#include "diagnosis/study.h"

namespace spinert::cli {
namespace {

using Row = std::vector<std::string>;

// Columns as wide as their longest cell; numbers to the right, the last column (words) to the left.
void print_rows(const std::vector<Row>& rows, FILE* to) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (size_t i = 0; i + 1 < row.size(); ++i) line += "  " + std::string(widths[i] - row[i].size(), ' ') + row[i];
    std::fprintf(to, "%s  %s\n", line.c_str(), row.back().c_str());
  }
}

// One row for each vertebra of the study; its slices are in the report.
void print_tracks(const StudyResult& study, FILE* to) {
  Row head{"no", "slices"};
  head.insert(head.end(), study.class_names.begin(), study.class_names.end());
  for (const char* name : {"ant mm", "mid mm", "post mm", "HU", "labels"}) head.emplace_back(name);
  std::vector<Row> rows{std::move(head)};
  for (const TrackResult& result : study.tracks) {
    const Track& track = result.track;
    Row row{std::to_string(track.id), std::to_string(track.members.size())};
    for (const float p : track.probabilities) row.push_back(fixed_number(p, 3));
    const auto& measures = result.measures;
    for (const double mm : {measures ? measures->anterior_mm : 0, measures ? measures->middle_mm : 0,
                            measures ? measures->posterior_mm : 0}) {
      row.push_back(measures ? fixed_number(mm, 1) : "-");
    }
    row.push_back(measures ? fixed_number(measures->mean_hu, 0) : "-");
    row.push_back(label_text(track.labels, track.consistency));
    rows.push_back(std::move(row));
  }
  print_rows(rows, to);
  std::fprintf(to, "study: %s, %s\n", study.alert.c_str(),
               counted(study.tracks.size(), "vertebra", "vertebrae").c_str());
  for (const Reason& reason : study.reasons) std::fprintf(to, "  %s: %s\n", reason.code.c_str(), reason.text.c_str());
}

void print_slices(const StudyResult& study, FILE* to) {
  for (const SliceResult& slice : study.slices) {
    std::fprintf(to, "%s: %s, %s, %s\n", slice.source.c_str(), slice.status.c_str(), slice.alert.c_str(),
                 counted(slice.vertebrae.size(), "vertebra", "vertebrae").c_str());
    for (const Reason& reason : slice.reasons) std::fprintf(to, "  %s: %s\n", reason.code.c_str(), reason.text.c_str());
    if (slice.vertebrae.empty()) continue;
    Row head{"no", "x1", "y1", "x2", "y2", "score"};
    head.insert(head.end(), study.class_names.begin(), study.class_names.end());
    head.push_back("labels");
    std::vector<Row> rows{std::move(head)};
    for (const Vertebra& vertebra : slice.vertebrae) {
      Row row{std::to_string(vertebra.id)};
      for (const float side : vertebra.box) row.push_back(fixed_number(side, 1));
      row.push_back(fixed_number(vertebra.score, 3));
      for (const float p : vertebra.probabilities) row.push_back(fixed_number(p, 3));
      row.resize(6 + study.class_names.size(), "-");
      row.push_back(label_text(vertebra, study.class_names, false));
      rows.push_back(std::move(row));
    }
    print_rows(rows, to);
  }
}

}  // namespace

void print_table(const StudyResult& study, FILE* to) {
  study.examination.kind == "pictures" ? print_slices(study, to) : print_tracks(study, to);
  const std::string_view banner = status_banner(study.status);
  std::fprintf(to, "study: %s%s%s\n", study.status.c_str(), banner.empty() ? "" : ", ", std::string(banner).c_str());
  if (study.demo_model) std::fprintf(to, "note: %s\n", kDemoNotice);
  std::fprintf(to, "%s\n", kResearchLabel);
}

}  // namespace spinert::cli
