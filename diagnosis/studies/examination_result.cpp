#include "diagnosis/studies/examination_result.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "diagnosis/pipeline.h"
#include "diagnosis/studies/measure.h"
#include "diagnosis/studies/study_judgement.h"
#include "diagnosis/studies/tracks.h"
#include "diagnosis/study.h"

namespace spinert {
namespace {

// The picture of a slice in Hounsfield units again.
HuSlice hu_of(const SourceSlice& slice) {
  HuSlice made;
  made.plane = slice.place->plane;
  const auto offset = static_cast<int>(*slice.picture.hu_offset);
  made.hu.reserve(slice.picture.value.size());
  for (const uint16_t value : slice.picture.value) made.hu.push_back(static_cast<int16_t>(value - offset));
  return made;
}

// Each track is measured where it is best seen: on the slice in the middle of those that show it.
void measure(StudyResult& study, SliceSource& source) {
  std::map<int, std::vector<TrackResult*>> of_slice;
  for (TrackResult& track : study.tracks) {
    const TrackMember& middle = track.track.members[track.track.members.size() / 2];
    track.measured_slice = middle.slice;
    of_slice[middle.slice].push_back(&track);
  }
  for (const auto& [index, tracks] : of_slice) {
    const auto read = source.read(static_cast<size_t>(index));
    if (!read.ok()) {
      const std::string& slice = study.slices[static_cast<size_t>(index)].source;
      study.reasons.push_back({std::string(error_name(read.status().id())),
                               "nothing was measured on " + slice + ": it could not be read a second time"});
    }
    if (!read.ok() || !read.value().place || !read.value().picture.hu_offset) continue;
    const HuSlice picture = hu_of(read.value());
    const std::vector<Vertebra>& vertebrae = study.slices[static_cast<size_t>(index)].vertebrae;
    for (TrackResult* track : tracks) {
      const auto vertebra = static_cast<size_t>(track->track.members[track->track.members.size() / 2].vertebra);
      const SpineDirection along = spine_direction(vertebrae, vertebra);
      track->measures = measure_body(picture, vertebrae[vertebra].box, along.x, along.y);
    }
  }
}

}  // namespace

void judge_examination(StudyResult& study, SliceSource& source, const PipelineConfig& config) {
  const auto placed =
      std::ranges::find_if(study.slices, [](const SliceResult& slice) { return slice.place.has_value(); });
  if (placed == study.slices.end()) {
    summarise(study);  // not one slice could be read: the first of their errors
    return;
  }
  std::vector<TrackSlice> slices;
  for (const SliceResult& slice : study.slices) {
    const SlicePlace& place = slice.place ? *slice.place : *placed->place;
    slices.push_back({&slice, place.plane, place.position_mm});
  }
  std::vector<Track> tracks = link_tracks(slices, config);
  StudyJudgement judgement = judge_study(slices, tracks, config);
  study.status = judgement.status;
  study.alert = judgement.alert;
  study.exit_code = judgement.exit_code;
  study.error = judgement.error;
  study.reasons = std::move(judgement.reasons);
  std::ranges::copy(study.examination.notes, std::back_inserter(study.reasons));
  if (study.examination.incomplete && study.status == "completed") {
    study.status = "partial";
    study.exit_code = exit_code(ErrorId::E_PARTIAL);
    study.error = ErrorId::E_PARTIAL;
    if (study.alert == "negative") study.alert = "review";
  }
  for (Track& track : tracks) study.tracks.push_back({std::move(track), {}, 0});
  measure(study, source);
}

}  // namespace spinert
