// pipeline_config.h - everything about the two networks and the diagnosis that the weights do not hold.
//
// The config is embedded in the model file and nothing in it is guessed: a missing key, an unknown key, a wrong type, a
// number out of range and a contradiction between keys are all E_CONFIG and name the key. Optional with defaults are
// only the sections place, spacing, tracks and rename, and classifier.batch_norm_eps.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace spinert {

inline constexpr const char* kPipelineSchema = "spinert.pipeline/1";
inline constexpr const char* kNormalClass = "normal";

struct WindowConfig {
  double level = 0, width = 0;  // Hounsfield units
};

struct InputConfig {
  int64_t size = 0;               // side of the square canvas in pixels, a multiple of 32
  std::vector<double> mean, std;  // 3 each, of grey / 255
  WindowConfig window;
};

struct AnchorConfig {
  std::vector<std::vector<double>> sizes;  // one row per feature level, pixels of the canvas
  std::vector<double> ratios;              // height / width, the same for every level
};

struct RpnConfig {
  int64_t pre_nms_top_n = 0;   // per level
  int64_t post_nms_top_n = 0;  // over all levels
  double nms_threshold = 0;
  double score_threshold = 0;  // of the sigmoid
  double min_size = 0;         // pixels
};

struct RoiConfig {
  int64_t output_size = 0, sampling_ratio = 0;
  int64_t canonical_scale = 0;  // a box of this side in pixels belongs to canonical_level
  int64_t canonical_level = 0;
};

struct BoxConfig {
  double score_threshold = 0;  // of the softmax, strictly greater is kept
  double nms_threshold = 0;
  int64_t detections_per_image = 0;
  double min_size = 0;               // pixels
  std::vector<double> bbox_weights;  // 4: dx, dy, dw, dh
};

struct DetectorConfig {
  std::string architecture;
  InputConfig input;
  double batch_norm_eps = 0;
  AnchorConfig anchors;
  RpnConfig rpn;
  RoiConfig roi;
  BoxConfig box;
  std::vector<std::string> class_names;  // entry 0 is the background
};

struct PatchConfig {
  int64_t size = 0;                        // pixels of the side of a patch as the classifier sees it
  std::vector<std::vector<double>> table;  // rows of scale, dx, dy; 1 to 32
};

struct ClassifierConfig {
  std::string architecture;
  std::vector<double> mean, std;
  double batch_norm_eps = 0;  // detector.batch_norm_eps if the key is absent
  std::vector<std::string> class_names;
  std::map<std::string, double> thresholds;  // one per class name

  // Thresholds in the order of class_names.
  std::vector<float> threshold_list() const;
};

struct DiagnosisConfig {
  double score_threshold = 0;
  int64_t min_vertebrae = 0;
};

struct PlaceConfig {
  std::string mode = "centre";   // crop and zero-pad about the centre; the only mode
  std::string canvas = "fixed";  // what the detector sees: the whole canvas, or "tight" about the slice
};

struct SpacingConfig {
  double mm_per_pixel = 0;   // what the detector was trained at; 0: slices are used as they come
  bool reformat = true;      // axial series may be resliced
  double max_slice = 3;      // mm; a coarser series is not resliced
  double sagittal_step = 3;  // mm between the sagittal planes of a reformat
  double half_width = 50;    // mm; planes up to so far from the midline on each side
};

// How boxes of neighbouring slices become vertebrae of a study (diagnosis/studies/tracks.h).
struct TracksConfig {
  std::string probability = "mean";  // of a track from its slices, per class: "mean" or "max"
  int64_t alert_slices = 1;          // positive slices that give a track a disease label
  double link_iou = 0.3;             // boxes of two slices belong together from this overlap on
  int64_t max_gap = 1;               // slices without a box that may lie between two boxes of a track
  int64_t min_slices = 2;            // a track seen in fewer asks for review and is no part of the spine
};

// Prefixes of checkpoint names to replace, whole dotted parts only: {"fc.1": "fc", "model": ""}.
struct RenameConfig {
  std::map<std::string, std::string> detector, classifier;
};

struct PipelineConfig {
  DetectorConfig detector;
  PatchConfig patches;
  ClassifierConfig classifier;
  DiagnosisConfig diagnosis;
  PlaceConfig place;
  SpacingConfig spacing;
  TracksConfig tracks;
  RenameConfig rename;
};

// Errors: E_CONFIG. `where` names the source in messages.
Result<PipelineConfig> parse_pipeline_config(std::string_view text, std::string_view where = "pipeline config");

// JSON text with every key, optional ones included; reading it back gives the same config. indent < 0: one line.
std::string print_pipeline_config(const PipelineConfig& config, int indent = -1);

}  // namespace spinert
