// study_judgement.h - status and alert of a study from its slices and tracks (docs/tracks.md).
//
// A slice without vertebrae is normal in a study: the planes at the sides miss the spine. So what counts is the study
// as a whole, and the danger is that it is called negative although a diseased vertebra was not seen. What could do
// that, and the rule against it:
// - A slice failed or gave numbers that are not finite: what it shows is unknown. Review at least; so does a box or
//   probability that is not finite or not there.
// - Fewer slices gave a result than did not: what is known is too little. E_COVERAGE.
// - No spine was found, or what was found is no spine: fewer than diagnosis.min_vertebrae tracks in a row, at least
//   one. E_NO_VERTEBRA. Tracks outside the row, too near or too far: E_COVERAGE.
// - A vertebra was missed in all slices: the gap between its neighbours is wider than 1.8 heights. Review. Heights are
//   the median of the tracks around the gap, for a lumbar vertebra is twice as high as a cervical one. A vertebra that
//   is missed at the upper or lower end of the field of view leaves no gap: this no rule can see.
// - A vertebra was missed in those slices in which its fracture shows: its track is interrupted by more than
//   tracks.max_gap slices, or has less than a third of the slices that tracks have in this study. Review.
// - A track of fewer than tracks.min_slices slices may be a false box or a vertebra that was hardly seen. Review, and
//   it is no part of the row; but a disease that it shows still makes the study positive.
// - A disease reached its threshold in fewer slices than tracks.alert_slices asks for: no label, but review.
// - One vertebra of several slices is normal, others show no class at all: "normal" needs more than half of the slices,
//   else the track is unlabelled. Review.
// - The vertebrae of a slice were lost on the way to the tracks: their number is compared. Review.
// - Part of a slice was cut off, or not seen whole by any tile: its own reasons say so. Review.
// - The run was stopped: the study has failed, whatever was seen before.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/studies/tracks.h"

namespace spinert {

struct StudyJudgement {
  std::string status = "failed";  // completed, partial, indeterminate, failed
  std::string alert = "review";   // positive, review, negative
  std::vector<Reason> reasons;    // of the study; those of a slice are named with its source
  ErrorId error = ErrorId::OK;    // why the status is not "completed"
  int exit_code = 0;              // partial: 11, or 13 if the rest must not be read as negative either
  int chain = 0;                  // tracks in the longest row
};

// tracks: of link_tracks() on the same slices and config.
StudyJudgement judge_study(std::span<const TrackSlice> slices, std::span<const Track> tracks,
                           const PipelineConfig& config);

}  // namespace spinert
