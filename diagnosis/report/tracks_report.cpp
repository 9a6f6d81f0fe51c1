#include "diagnosis/report/tracks_report.h"

#include <algorithm>

#include "diagnosis/report/text.h"
#include "diagnosis/report/wording.h"

namespace spinert {
namespace {

constexpr auto kInline = JsonText::Layout::inline_;

void write_track(JsonText& json, const StudyResult& study, const TrackResult& result) {
  const Track& track = result.track;
  json.begin_object().key("id").integer(track.id);
  json.key("centre_mm").begin_array(kInline).number(track.centre.x).number(track.centre.y).number(track.centre.z).end();
  json.key("box_height_mm").number(track.height_mm);
  json.key("slices").begin_array(kInline);
  for (const TrackMember& member : track.members) {
    const SliceResult& slice = study.slices[static_cast<size_t>(member.slice)];
    json.begin_object(kInline).key("source").text(slice.source).key("vertebra");
    json.integer(slice.vertebrae[static_cast<size_t>(member.vertebra)].id).end();
  }
  json.end();
  json.key("probabilities").begin_object(kInline);
  for (size_t i = 0; i < std::min(study.class_names.size(), track.probabilities.size()); ++i) {
    json.key(study.class_names[i]).number(track.probabilities[i]);
  }
  json.end();
  json.key("positive_slices").begin_object(kInline);
  for (size_t i = 0; i < std::min(study.class_names.size(), track.positive_slices.size()); ++i) {
    json.key(study.class_names[i]).integer(track.positive_slices[i]);
  }
  json.end();
  json.key("labels").texts(track.labels).key("consistency").text(track.consistency);
  if (const auto& measures = result.measures) {
    json.key("measures").begin_object(kInline);
    json.key("source").text(study.slices[static_cast<size_t>(result.measured_slice)].source);
    json.key("anterior_mm").number(measures->anterior_mm).key("middle_mm").number(measures->middle_mm);
    json.key("posterior_mm").number(measures->posterior_mm).key("mean_hu").number(measures->mean_hu).end();
  }
  json.end();
}

}  // namespace

void write_tracks(JsonText& json, const StudyResult& study) {
  json.key("tracks").begin_array();
  for (const TrackResult& track : study.tracks) write_track(json, study, track);
  json.end();
}

std::string track_table(const StudyResult& study) {
  if (study.tracks.empty()) return {};
  const auto cell = [](const std::string& text) { return "<td>" + text + "</td>"; };
  std::string html =
      "<h3>Vertebrae of the study</h3>\n<p class=\"soft small\">Numbered from the top of the field of view. A number "
      "under a class says in how many slices it reaches its threshold; heights are in millimetres.</p>\n"
      "<div class=\"scroll\"><table class=\"tracks\" aria-label=\"Vertebrae of the study\">\n<thead><tr><th "
      "scope=\"col\">No.</th><th scope=\"col\">Slices</th>";
  for (const std::string& name : study.class_names) {
    html += "<th scope=\"col\" title=\"" + escape_html(class_title(name)) + "\">" + escape_html(name) + "</th>";
  }
  html +=
      "<th scope=\"col\">Anterior</th><th scope=\"col\">Middle</th><th scope=\"col\">Posterior</th><th "
      "scope=\"col\">Mean HU</th><th class=\"words\" scope=\"col\">Labels</th></tr></thead>\n<tbody>\n";
  for (const TrackResult& result : study.tracks) {
    const Track& track = result.track;
    html += "<tr><th scope=\"row\"><a href=\"#s" + std::to_string(result.measured_slice + 1) + "\">" +
            std::to_string(track.id) + "</a></th>" + cell(std::to_string(track.members.size()));
    for (size_t i = 0; i < std::min(study.class_names.size(), track.probabilities.size()); ++i) {
      const int positive = track.positive_slices[i];
      html += cell(fixed_number(track.probabilities[i], 2) +
                   (positive > 0 ? " <strong>" + std::to_string(positive) + "</strong>" : ""));
    }
    if (const auto& measures = result.measures) {
      html += cell(fixed_number(measures->anterior_mm, 1)) + cell(fixed_number(measures->middle_mm, 1)) +
              cell(fixed_number(measures->posterior_mm, 1)) + cell(fixed_number(measures->mean_hu, 0));
    } else {
      html += cell("-") + cell("-") + cell("-") + cell("-");
    }
    html += "<td class=\"words\">" + escape_html(label_text(track.labels, track.consistency)) + "</td></tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace spinert
