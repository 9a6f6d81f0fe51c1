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

namespace spinert {

// One slice as the linking sees it. Slices are given in the order of their positions.
struct TrackSlice {
  const SliceResult* result = nullptr;
  Plane plane;             // of the picture that the boxes lie in; steps are not zero
  double position_mm = 0;  // across the patient
};

struct TrackMember {
  int slice = 0;     // index into the slices
  int vertebra = 0;  // index into its vertebrae
};

struct Track {
  int id = 0;                        // 1..n from the top of the field of view
  std::vector<TrackMember> members;  // by slice, at least one
  Vec3 centre;                       // mean of the centres of the boxes, patient coordinates
  double height_mm = 0;              // median height of the boxes
  std::vector<float> probabilities;  // by tracks.probability, in the order of the class names
  std::vector<int> positive_slices;  // per class: slices whose probability reaches the threshold
  // A disease that reaches its threshold in tracks.alert_slices slices, or in all slices of a track that has fewer;
  // "normal" if more than half of the slices reach its threshold.
  std::vector<std::string> labels;
  std::string consistency;  // ok, contradictory, none: of the labels
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
