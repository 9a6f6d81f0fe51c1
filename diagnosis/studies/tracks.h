// tracks.h - one vertebra through the sagittal pictures of a study: boxes of neighbouring slices that belong together.
//
// The slices of a study are parallel, upright and share one scale, so that their boxes are compared in millimetres: x
// to the back, y to the feet, in the common plane. A track holds at most one box of a slice.
#pragma once

#include <map>
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
  Plane plane;             // of the picture that the boxes lie in
  double position_mm = 0;  // across the patient
};

struct TrackMember {
  int slice = 0;     // index into the slices
  int vertebra = 0;  // index into its vertebrae
};

struct Track {
  int id = 0;                        // 1..n from the top of the field of view
  std::vector<TrackMember> members;  // by slice
  Vec3 centre;                       // mean of the centres of the boxes, patient coordinates
  std::vector<float> probabilities;  // by the rule of the config, in the order of the class names
  std::vector<int> positive_slices;  // per class: slices whose probability reaches the threshold
  std::vector<std::string> labels;   // classes with enough positive slices, see TracksConfig
  std::string consistency;           // ok, contradictory, none: of the labels
};

std::vector<Track> link_tracks(std::span<const TrackSlice> slices, const PipelineConfig& config);

}  // namespace spinert
