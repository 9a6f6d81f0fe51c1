#include "diagnosis/report/examination_json.h"

#include <array>

namespace spinert {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

void vector(JsonText& json, const char* key, const Vec3& v) {
  json.key(key).begin_array(kInline).number(v.x).number(v.y).number(v.z).end();
}

void reals(JsonText& json, const char* key, const std::vector<double>& values) {
  json.key(key).begin_array(kInline);
  for (const double value : values) json.number(value);
  json.end();
}

void write_stack(JsonText& json, const StackFacts& stack) {
  const Grid& grid = stack.grid;
  json.key("stack").begin_object();
  json.key("orientation").text(stack.orientation);
  json.key("size").begin_array(kInline).integer(grid.plane.columns).integer(grid.plane.rows).integer(grid.slices).end();
  json.key("spacing_mm").begin_array(kInline).number(length(grid.plane.column_step));
  json.number(length(grid.plane.row_step)).number(length(grid.slice_step)).end();
  vector(json, "origin_mm", grid.plane.origin);
  vector(json, "column_step_mm", grid.plane.column_step);
  vector(json, "row_step_mm", grid.plane.row_step);
  vector(json, "slice_step_mm", grid.slice_step);
  json.key("tilt_degrees").number(stack.tilt_degrees);
  reals(json, "gaps_mm", stack.gaps_mm);
  json.end();
}

void write_reformat(JsonText& json, const ReformatFacts& reformat) {
  json.key("reformat").begin_object();
  json.key("interpolation").text("linear");
  json.key("mm_per_pixel").number(reformat.mm_per_pixel);
  json.key("step_mm").number(reformat.step_mm).key("fast").boolean(reformat.fast);
  json.key("midline_mm").number(reformat.midline_mm);
  reals(json, "position_mm", reformat.position_mm);
  json.end();
}

}  // namespace

void write_examination(JsonText& json, const Examination& examination) {
  if (examination.kind == "pictures") return;
  json.key("files").integer(examination.files);
  json.key("files_sha256").text(examination.files_sha256);
  json.key("lossy").boolean(examination.lossy);
  if (examination.kind == "dicom") {
    json.key("study_uid").text(examination.study_uid).key("series_uid").text(examination.series_uid);
    json.key("frame_of_reference_uid").text(examination.frame_of_reference_uid);
    json.key("patient_position").text(examination.patient_position);
    json.key("transfer_syntaxes").texts(examination.transfer_syntaxes);
    json.key("series_choice").text(examination.series_choice);
  } else {
    json.key("transform").text(examination.transform);
  }
  if (examination.stack) write_stack(json, *examination.stack);
  if (examination.reformat) write_reformat(json, *examination.reformat);
}

void write_place(JsonText& json, const SlicePlace& place) {
  json.key("place").begin_object(kInline);
  json.key("position_mm").number(place.position_mm).key("reformatted").boolean(place.reformatted);
  vector(json, "origin_mm", place.plane.origin);
  vector(json, "column_step_mm", place.plane.column_step);
  vector(json, "row_step_mm", place.plane.row_step);
  json.end();
}

void write_patient_box(JsonText& json, const SlicePlace& place, const Box& box) {
  // The edges of a box are edges of pixels; positions are those of centres.
  const auto corner = [&](float x, float y) { return place.plane.at(double{x} - 0.5, double{y} - 0.5); };
  json.key("patient").begin_object(kInline);
  vector(json, "from_mm", corner(box[0], box[1]));
  vector(json, "to_mm", corner(box[2], box[3]));
  const double width = (double{box[2]} - box[0]) * length(place.plane.column_step),
               height = (double{box[3]} - box[1]) * length(place.plane.row_step);
  json.key("size_mm").begin_array(kInline).number(width).number(height).end();
  json.end();
}

}  // namespace spinert
