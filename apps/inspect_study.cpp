#include "apps/inspect_study.h"

#include <cstdio>

#include "apps/command.h"
#include "diagnosis/images/picture.h"
#include "diagnosis/report/json_text.h"
#include "diagnosis/report/text.h"
#include "diagnosis/studies/series.h"

namespace spinert::cli {
namespace {

struct SeriesView {
  Series series;
  Result<SeriesGeometry> geometry = error(ErrorId::E_INTERNAL, "not arranged");

  // Why it cannot be used.
  Status problem() const { return !series.problem.ok() ? series.problem : geometry.status(); }
};

struct StudyView {
  std::vector<SeriesView> series;
  Result<SeriesChoice> choice = error(ErrorId::E_INTERNAL, "not chosen");
  Status problem;
};

StudyView look(const StudyInput& study, const StudyOptions& options) {
  StudyView view;
  for (const Input& input : study.pictures) {
    Status status = input.problem;
    if (status.ok()) status = read_picture(input.path).status();
    if (view.problem.ok()) view.problem = status;
  }
  if (!study.nifti.empty()) view.problem = read_nifti(study.nifti, options.transform).status();
  if (study.dicom.empty()) {
    if (!study.unread.empty()) view.problem = study.unread.front().problem;
    return view;
  }
  const std::vector<Series> series = split_series(study.dicom);
  view.choice = choose_series(series, study.dicom, options.series_uid);
  for (const Series& one : series) {
    view.series.push_back({one, arrange_series(study.dicom, one.files, options.allow_gaps)});
  }
  view.problem = view.choice.ok() ? view.series[view.choice.value().index].problem() : view.choice.status();
  if (view.problem.ok() && study.unread.size() > static_cast<size_t>(options.allow_gaps)) {
    view.problem = study.unread.front().problem;
  }
  return view;
}

void series_json(JsonText& json, const SeriesView& view, bool chosen) {
  json.begin_object().key("uid").text(view.series.uid).key("description").text(view.series.description);
  json.key("orientation").text(orientation_name(view.series.orientation));
  json.key("files").integer(static_cast<long long>(view.series.files.size())).key("chosen").boolean(chosen);
  if (view.geometry.ok()) {
    const Grid& grid = view.geometry.value().grid;
    json.key("size").begin_array(JsonText::Layout::inline_).integer(grid.plane.columns).integer(grid.plane.rows);
    json.integer(grid.slices).end();
    json.key("spacing_mm").begin_array(JsonText::Layout::inline_).number(length(grid.plane.column_step));
    json.number(length(grid.plane.row_step)).number(length(grid.slice_step)).end();
    json.key("tilt_degrees").number(view.geometry.value().tilt_degrees);
  }
  json.key("message").text(view.problem().ok() ? "" : view.problem().to_string()).end();
}

void print_series(const SeriesView& view, bool chosen) {
  std::printf("  %s %-9s %4zu files", chosen ? "*" : " ", orientation_name(view.series.orientation),
              view.series.files.size());
  if (view.geometry.ok()) {
    const Grid& grid = view.geometry.value().grid;
    std::printf(", %d x %d x %d, %.3f x %.3f x %.3f mm", grid.plane.columns, grid.plane.rows, grid.slices,
                length(grid.plane.column_step), length(grid.plane.row_step), length(grid.slice_step));
  }
  std::printf("  %s %s\n", clean_utf8(view.series.uid).c_str(), clean_utf8(view.series.description).c_str());
  if (!view.problem().ok()) std::printf("      %s\n", clean_utf8(view.problem().to_string()).c_str());
}

}  // namespace

int inspect_studies(const std::vector<StudyInput>& studies, const StudyOptions& options, bool as_json, bool json_log) {
  Status first;
  JsonText json;
  json.begin_object().key("kind").text("studies").key("studies").begin_array();
  for (const StudyInput& study : studies) {
    const StudyView view = look(study, options);
    if (first.ok()) first = view.problem;
    const char* kind = !study.nifti.empty() ? "nifti" : !study.pictures.empty() ? "pictures" : "dicom";
    json.begin_object().key("name").text(study.name).key("kind").text(kind);
    json.key("readable").boolean(view.problem.ok());
    json.key("message").text(view.problem.ok() ? "" : view.problem.to_string()).key("series").begin_array();
    if (!as_json) {
      std::printf("study %s: %s, %s\n", clean_utf8(study.name).c_str(), kind,
                  view.problem.ok() ? "would be read" : clean_utf8(view.problem.to_string()).c_str());
    }
    for (size_t i = 0; i < view.series.size(); ++i) {
      const bool chosen = view.choice.ok() && view.choice.value().index == i;
      as_json ? series_json(json, view.series[i], chosen) : print_series(view.series[i], chosen);
    }
    json.end();
    if (view.choice.ok()) {
      json.key("series_choice").text(view.choice.value().why);
      if (!as_json) std::printf("  * %s\n", clean_utf8(view.choice.value().why).c_str());
    }
    json.key("unreadable").begin_array();
    for (const Input& file : study.unread) {
      json.text(file.problem.to_string());
      if (!as_json) std::printf("  ! %s\n", clean_utf8(file.problem.to_string()).c_str());
    }
    json.end().end();
  }
  json.end().end();
  if (as_json) std::printf("%s\n", json.str().c_str());
  return first.ok() ? 0 : print_error(first, json_log);
}

}  // namespace spinert::cli
