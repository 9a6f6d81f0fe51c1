// class_metrics.h - one class against the rest: confusion matrix, rates with 95 % intervals, ROC.
//
// End to end, a missed vertebra is a missed diagnosis: a false negative of every class that it has. It is never a true
// negative of the others: what was not looked at was not found healthy. A box that is no vertebra is a false positive
// of every class that it was given, and nothing else; it is in no ROC curve, where it would be an easy negative.
//
// Rates whose denominator is 0 have no value; they are neither 0 nor 1.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/evaluation/intervals.h"
#include "diagnosis/evaluation/outcomes.h"
#include "diagnosis/evaluation/roc.h"

namespace spinert::evaluation {

struct Confusion {
  int64_t true_positive = 0, false_positive = 0, false_negative = 0, true_negative = 0;
  int64_t missed = 0;       // of the false negatives: vertebrae that were not found
  int64_t false_boxes = 0;  // of the false positives: boxes that are no vertebra
  int64_t left_out = 0;     // vertebrae without the class that were not found: in none of the four
};

struct Rate {
  std::optional<double> value;
  std::optional<Interval> interval;
};
Rate proportion(int64_t part, int64_t whole);  // with Wilson's interval

struct ClassFigures {
  Confusion confusion;
  Rate sensitivity, specificity, ppv, npv, f1, accuracy;
  std::optional<Auc> auc;
  std::optional<double> average_precision;
  std::vector<RocPoint> roc;
};
ClassFigures class_figures(const Confusion& confusion, std::span<const Scored> scores);

// Missed vertebrae with the class have the score kNeverFound, below every probability.
inline constexpr double kNeverFound = -1;

// End to end: the boxes that the system found.
Confusion end_to_end_confusion(std::span<const SliceOutcome> outcomes, size_t c);
std::vector<Scored> end_to_end_scores(std::span<const SliceOutcome> outcomes, size_t c);
// Only vertebrae that were found, with their probabilities.
std::vector<Scored> found_scores(std::span<const SliceOutcome> outcomes, size_t c);
// The classifier alone, on the annotated boxes. A slice that it could not look at is as if its vertebrae were missed.
Confusion patch_confusion(std::span<const SliceOutcome> outcomes, size_t c, float threshold);
std::vector<Scored> patch_scores(std::span<const SliceOutcome> outcomes, size_t c);

// Mean over some classes of the figures that have a value.
struct Average {
  std::optional<double> value;
  int over = 0;  // classes with a value
};
struct Averages {
  int classes = 0;  // that were asked for
  Average auc, average_precision, sensitivity, specificity, ppv, npv, f1, accuracy;
};
Averages average_over(std::span<const ClassFigures> figures, const std::vector<size_t>& classes);

// What was said of what: rows are annotated classes and, last, boxes that are no vertebra; columns are given classes,
// then no label, then missed. A vertebra with two annotated or two given classes stands in several cells; a given class
// that is annotated counts on the diagonal only.
std::vector<std::vector<int64_t>> cross_table(std::span<const SliceOutcome> outcomes, size_t classes);

}  // namespace spinert::evaluation
