// tracks.h - one vertebra through the sagittal pictures of a study: boxes of neighbouring slices that belong together.
//
// The slices of a study are parallel, upright and share one scale, so that their boxes are compared in millimetres: x
// to the back, y to the feet, along the axes of the first slice's plane. A track holds at most one box of a slice, and
// every vertebra of every slice is in exactly one track. docs/tracks.md tells the rules at length.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "diagnosis/result.h"
#include "diagnosis/studies/patient_space.h"
#include "diagnosis/studies/track.h"

namespace spinert {

// One slice as the linking sees it. Slices are given in the order of their positions.
struct TrackSlice {
  const SliceResult* result = nullptr;
  Plane plane;             // of the picture that the boxes lie in; steps are not zero
  double position_mm = 0;  // across the patient
};

// Boxes of a slice are joined to tracks one to one, the largest overlap first, if it reaches tracks.link_iou, if the
// track ended at most tracks.max_gap slices before, and if no two tracks change their order. Then pieces of one
// vertebra that lie further apart are joined: at the same place along the spine, without a slice in common. The same
// for the same slices; a slice without result counts as one without boxes.
std::vector<Track> link_tracks(std::span<const TrackSlice> slices, const PipelineConfig& config);

// Where the spine runs at a vertebra of a slice, from head to foot, in pixels: from the vertebra above to the one below
// (measure_body). Straight down if there is neither.
struct SpineDirection {
  double x = 0, y = 1;
};
SpineDirection spine_direction(std::span<const Vertebra> ordered, size_t index);

}  // namespace spinert
