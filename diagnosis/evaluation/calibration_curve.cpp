#include "diagnosis/evaluation/calibration_curve.h"

#include <algorithm>
#include <cmath>

namespace spinert::evaluation {

std::optional<Calibration> calibration_curve(std::span<const Scored> values, int bins) {
  if (values.empty()) return std::nullopt;
  std::vector<CalibrationBin> all(static_cast<size_t>(bins));
  const auto n = static_cast<double>(values.size());
  Calibration result;
  for (const Scored& value : values) {
    // The first bin whose upper border is not below the value; borders as numpy.linspace computes them.
    int bin = 0;
    while (bin + 1 < bins && value.score > (bin + 1) * (1.0 / bins)) ++bin;
    CalibrationBin& to = all[static_cast<size_t>(bin)];
    const double truth = value.positive ? 1 : 0;
    to.mean_probability += value.score;
    to.positive_share += truth;
    ++to.count;
    result.brier += (value.score - truth) * (value.score - truth) / n;
  }
  for (CalibrationBin& bin : all) {
    if (bin.count == 0) continue;
    const auto count = static_cast<double>(bin.count);
    bin.mean_probability /= count;
    bin.positive_share /= count;
    result.expected_error += count / n * std::abs(bin.mean_probability - bin.positive_share);
    result.bins.push_back(bin);
  }
  return result;
}

}  // namespace spinert::evaluation
