// roc.h - how well a score parts positives from negatives: ROC curve, area under it, its variance after DeLong, and the
// average precision of the class. Higher scores mean positive; equal scores are never parted.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "diagnosis/evaluation/intervals.h"

namespace spinert::evaluation {

struct Scored {
  double score = 0;
  bool positive = false;
};

struct RocPoint {
  double threshold, false_positive_rate, true_positive_rate;  // of everything with at least this score
};
// From (0, 0), whose threshold is infinite, to (1, 1), one point for each distinct score. Empty unless there are
// positives and negatives.
std::vector<RocPoint> roc_curve(std::span<const Scored> values);

struct Auc {
  double area = 0;
  std::optional<double> variance;  // DeLong; nothing with fewer than two positives or two negatives
  int64_t positives = 0, negatives = 0;

  // DeLong's, or where its variance is 0 or not defined the score interval of intervals.h.
  std::optional<Interval> interval() const;
  bool delong_interval() const { return variance && *variance > 0; }
};
// Nothing unless there are positives and negatives.
std::optional<Auc> area_under_roc(std::span<const Scored> values);

// Sum over distinct scores of (recall - recall before) * precision, without interpolation. Nothing without positives.
std::optional<double> average_precision(std::span<const Scored> values);

// Two scores of the same things: DeLong's test for the difference of the areas.
struct PairedScore {
  double first = 0, second = 0;
  bool positive = false;
};
struct AucComparison {
  double first = 0, second = 0;
  std::optional<double> z, p;  // nothing where the difference has no variance
};
std::optional<AucComparison> compare_auc(std::span<const PairedScore> values);

}  // namespace spinert::evaluation
