// track.h - one vertebra of a study over its slices, as plain structs; tracks.h makes them, measure.h measures them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnosis/studies/patient_space.h"

namespace spinert {

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

struct BodyMeasures {
  // Between the endplates, along the spine: in the middle of the body's depth, and seven tenths of the way from there
  // to its front and back.
  double anterior_mm = 0, middle_mm = 0, posterior_mm = 0;
  double mean_hu = 0;  // of the middle three fifths of the body's depth and height
};

struct TrackResult {
  Track track;
  std::optional<BodyMeasures> measures;  // nothing if the body's edges could not be told
  int measured_slice = 0;                // the one in the middle of the track
};

}  // namespace spinert
