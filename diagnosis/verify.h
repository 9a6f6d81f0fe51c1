// verify.h - proves that a fast backend computes what the reference computes (DESIGN section 9, verify).
//
// Local pass: every node of both graphs runs on the reference's inputs, on the reference and on each level; outputs
// must lie within the operator's tolerance, integers must be equal. Global pass: whole diagnoses are compared:
// vertebrae match one to one at IoU >= 0.999, |score| and |probability| differ by at most 1e-4, no label flips unless
// the probability is that close to its threshold. A box whose score is that close to the threshold may be missing on
// one side; it is counted as excused.
//
// In mixed precision weights and maps are rounded to 16 bits: a node that touches such numbers has the bound that the
// 16-bit type's unit roundoff gives, and whole diagnoses have verify_limits("mixed"). In int8 nodes are held against
// the reference on the same codes, within the operator's tolerance, and whole diagnoses against fp32.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "diagnosis/images/picture.h"
#include "diagnosis/pipeline.h"

namespace spinert {

struct VerifyLimits {
  double iou = 0.999, score = 1e-4, probability = 1e-4;
};
// fp32, or mixed and int8: IoU 0.98, score 0.02, probability 0.01.
VerifyLimits verify_limits(const std::string& precision);

struct VerifyOptions {
  std::string model;
  std::string device = "cpu", precision;
  std::vector<std::string> levels;  // "scalar", "avx2", "avx512"; "sm80", "sm90a": each must exist on this machine
  int threads = 0;
  std::optional<float> threshold;
  std::optional<CanvasMode> canvas;  // of both sides; unset: of the model
  std::string dump_folder;  // outputs of every node of the first input as .npy, one folder per engine; empty: none
  VerifyLimits limits;
  bool local = true, global = true;
  std::function<void(const std::string&)> progress;  // called before each longer step; may be empty
};

// The worst of one node over all inputs.
struct NodeCheck {
  std::string graph, node, op, kernel, output;
  int64_t compared = 0, wrong = 0;
  double max_difference = 0, absolute = 0, relative = 0;  // of the worst run
};

struct GlobalCheck {
  int vertebrae = 0, excused = 0, flips = 0;
  double min_iou = 1, max_score = 0, max_probability = 0;
};

struct LevelReport {
  std::string level;
  std::vector<NodeCheck> nodes;
  GlobalCheck global;
  Status breach;  // the first one, E_VERIFY: node, position and both values
};

struct VerifyReport {
  std::vector<LevelReport> levels;
  bool ok() const;
};

struct NamedPicture {
  std::string name;
  Picture picture;
};

// A breach is no error of the call: it stands in the report. Errors are those of opening and running.
Result<VerifyReport> verify(const VerifyOptions& options, std::span<const NamedPicture> inputs,
                            const RunControl& control = {});

// Compares two diagnoses of one slice; the first disagreement goes to `breach`. thresholds: per class, in order.
void compare_slices(const SliceResult& want, const SliceResult& got, const std::vector<float>& thresholds,
                    float score_threshold, const VerifyLimits& limits, GlobalCheck& check, Status& breach);

// Intersection over union of two boxes; 0 if they do not meet.
double box_iou(const Box& a, const Box& b);

}  // namespace spinert
