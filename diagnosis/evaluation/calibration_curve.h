// calibration_curve.h - whether a probability of 0.8 means that eight of ten have the class.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "diagnosis/evaluation/roc.h"

namespace spinert::evaluation {

struct CalibrationBin {
  double mean_probability = 0, positive_share = 0;
  int64_t count = 0;
};
struct Calibration {
  std::vector<CalibrationBin> bins;  // of equal width over [0, 1], only those with values, lowest first
  double brier = 0;                  // mean squared difference between probability and 0 or 1
  double expected_error = 0;         // mean of |mean probability - share|, weighted by count
};
// A probability on the border of two bins belongs to the lower one. Scores must be probabilities. Nothing without
// values.
std::optional<Calibration> calibration_curve(std::span<const Scored> values, int bins = 10);

}  // namespace spinert::evaluation
