// evaluation.h - all figures of one system on one truth; docs/evaluation.md defines each of them.
//
//   auto system = read_reports("reports/");
//   auto truth = read_truth("truth.json", system.value().class_names);
//   auto pairing = pair_slices(truth.value(), system.value(), Absent::refuse);
//   Evaluation evaluation = evaluate(truth.value(), system.value(), pairing.value());
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnosis/evaluation/alerts.h"
#include "diagnosis/evaluation/average_precision.h"
#include "diagnosis/evaluation/calibration_curve.h"
#include "diagnosis/evaluation/class_metrics.h"
#include "diagnosis/evaluation/comparison.h"
#include "diagnosis/evaluation/correlation.h"
#include "diagnosis/evaluation/outcomes.h"
#include "diagnosis/evaluation/threshold_choice.h"

namespace spinert::evaluation {

inline constexpr double kCurveIou = 0.5;  // of the precision-recall curve

struct DetectorFigures {
  std::vector<PrecisionRecallPoint> curve;
  std::optional<double> voc_all_points, coco_50_95, coco_50, coco_75;
  std::optional<double> score_threshold;  // of the counts below; of a reader none
  int64_t annotated = 0, hits = 0, missed = 0, false_boxes = 0;
  Rate false_positive_rate;                                // false boxes of all boxes
  Rate false_negative_rate;                                // missed vertebrae of all annotated ones
  std::optional<Line> counts;                              // detected over annotated vertebrae per slice
  std::vector<int64_t> false_histogram, missed_histogram;  // slices with 0, 1, 2, ... of them
};

struct ClassSet {
  std::vector<ClassFigures> classes;       // in the order of the class names
  Averages diseases, diseases_without_sn;  // of Table 3 of the paper; without_sn: see has_sn
};

struct Evaluation {
  std::vector<std::string> class_names;
  LabelSet diseases = 0;
  bool has_sn = false;  // a class SN is there, so that an average without it means something
  std::vector<SliceOutcome> outcomes;
  size_t completed = 0, indeterminate = 0, failed = 0, absent = 0;  // slices
  size_t left_out_truth = 0, left_out_found = 0;
  DetectorFigures detector;
  ClassSet end_to_end;
  std::optional<ClassSet> patch_level;
  size_t patch_slices = 0;  // that the classifier could look at
  std::vector<std::vector<int64_t>> cross;
  AlertTable vertebrae, slices;
  std::optional<AlertTable> studies;
  std::vector<std::optional<Calibration>> calibration;  // of vertebrae that were found, for each class
  std::optional<Comparison> comparison;
};

// Points into truth and system, which must stay where they are.
Evaluation evaluate(const Truth& truth, const System& system, const Pairing& pairing);

// Slices that only one of the two has are left out of the comparison; `pairing` is of the second system.
Comparison compare_with(const Evaluation& first, const System& first_system, const System& second_system,
                        const Pairing& pairing);

// One threshold for each class; a class without positives or negatives has none.
std::vector<std::optional<ChosenThreshold>> choose_thresholds(const Evaluation& evaluation, ThresholdGoal goal);

}  // namespace spinert::evaluation
