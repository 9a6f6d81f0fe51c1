// correlation.h - how two counts per slice go together: Pearson's r and the line of least squares.
#pragma once

#include <optional>
#include <span>

namespace spinert::evaluation {

struct Line {
  double slope = 0, intercept = 0;
  std::optional<double> r;  // nothing if y does not vary
};
// y over x, of equal length. Nothing with fewer than two points or if x does not vary.
std::optional<Line> fit_line(std::span<const double> x, std::span<const double> y);

}  // namespace spinert::evaluation
