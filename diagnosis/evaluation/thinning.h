// thinning.h - curves of a large evaluation have a point for each vertebra or box; what is written of them are the
// points that differ by a visible step.
#pragma once

#include <cmath>
#include <vector>

#include "diagnosis/evaluation/average_precision.h"
#include "diagnosis/evaluation/roc.h"

namespace spinert::evaluation {

inline constexpr double kPageStep = 1.0 / 500;    // of evaluation.json and the page
inline constexpr double kTableStep = 1.0 / 2000;  // of the CSV tables

// Keeps the ends and every point that lies at least `step` from the last kept one, along x or along y.
template <class Point>
std::vector<Point> thinned(const std::vector<Point>& curve, double Point::*x, double Point::*y, double step) {
  std::vector<Point> kept;
  for (size_t i = 0; i < curve.size(); ++i) {
    const bool end = i == 0 || i + 1 == curve.size();
    if (end || std::abs(curve[i].*x - kept.back().*x) >= step || std::abs(curve[i].*y - kept.back().*y) >= step) {
      kept.push_back(curve[i]);
    }
  }
  return kept;
}

inline std::vector<PrecisionRecallPoint> thinned(const std::vector<PrecisionRecallPoint>& curve, double step) {
  return thinned(curve, &PrecisionRecallPoint::recall, &PrecisionRecallPoint::precision, step);
}
inline std::vector<RocPoint> thinned(const std::vector<RocPoint>& curve, double step) {
  return thinned(curve, &RocPoint::false_positive_rate, &RocPoint::true_positive_rate, step);
}

}  // namespace spinert::evaluation
