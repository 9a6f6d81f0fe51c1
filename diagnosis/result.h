// result.h - what a diagnosis says: plain structs between the pipeline, the reports and the program. DESIGN terms are
// used as they are; docs/file-format.md describes how each field is written to report.json.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diagnosis/reason.h"
#include "diagnosis/studies/examination.h"
#include "diagnosis/studies/track.h"
#include "kernels/base/status.h"
#include "runtime/engine.h"

namespace spinert {

using Box = std::array<float, 4>;  // x1, y1, x2, y2 in pixels of the slice as it came in

// A square window of the slice that the classifier saw, in slice pixels: centre and side.
struct PatchWindow {
  double centre_x, centre_y, side;
};

struct Vertebra {
  int id = 0;         // 1..n from top to bottom
  int candidate = 0;  // its place in SliceResult::candidates
  Box box{};
  float score = 0;
  std::vector<float> probabilities;  // in the order of the classifier's class names
  std::vector<std::string> labels;   // classes at or above their threshold
  std::string consistency;           // ok, contradictory, none
  std::vector<PatchWindow> patches;  // in the order of the patch table
};

struct Candidate {
  Box box{};
  float score = 0;
};

struct SliceResult {
  std::string source;  // file name, made unique within the study
  std::string sha256;  // of the file's bytes; empty if it could not be read
  int width = 0, height = 0;
  bool lossy = false;
  std::optional<double> hu_offset;  // pixel values are Hounsfield units + offset
  std::optional<SlicePlace> place;
  std::string status = "completed";  // completed, indeterminate, failed
  std::string alert = "review";      // positive, review, negative
  std::vector<Reason> reasons;
  std::vector<Vertebra> vertebrae;
  std::vector<Candidate> candidates;
  std::vector<unsigned char> preview;  // 8-bit grey pixels of the slice for pictures, width * height; empty if failed
  ErrorId error = ErrorId::OK;         // the error of a failed slice, E_NO_VERTEBRA etc. of an indeterminate one
  std::map<std::string, double> milliseconds;  // volatile: stage -> time
};

struct StudyResult {
  std::string status = "failed";  // completed, partial, indeterminate, failed
  std::string alert = "review";   // positive, review, negative
  std::vector<Reason> reasons;
  Examination examination;
  std::vector<SliceResult> slices;
  std::vector<TrackResult> tracks;  // of an examination, from the top of the field of view
  ErrorId error = ErrorId::OK;      // of an examination that did not end with 0
  // The model and the device, as reported.
  std::string model_name, model_sha256, config_sha256, card_version;
  bool demo_model = false;
  std::vector<std::string> class_names;      // of the classifier, in output order
  std::map<std::string, double> thresholds;  // per class, and "score" of the detector
  std::string device_name, isa, precision;
  std::string canvas = "fixed";  // what the detector saw: fixed or tight (canvas.h)
  bool fallback = false;
  CalibrationInfo calibration;  // of int8
  int exit_code = 0;
  // Volatile facts: do not change the meaning of a result.
  int threads = 1, batch = 1;
  double open_ms = 0, total_ms = 0;
  double reading_ms = 0;      // of total_ms: files read, decoded, sorted, reformatted
  double peak_memory_mb = 0;  // of the process so far, in MiB
};

inline constexpr const char* kResearchLabel = "Research use only. Not for diagnostic use.";

}  // namespace spinert
