#include "diagnosis/evaluation/correlation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace spinert::evaluation {

std::optional<Line> fit_line(std::span<const double> x, std::span<const double> y) {
  if (x.size() < 2) return std::nullopt;
  const auto n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, xy = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
  }
  if (!(xx > 0)) return std::nullopt;
  Line line{xy / xx, mean_y - xy / xx * mean_x, std::nullopt};
  if (yy > 0) line.r = std::clamp(xy / std::sqrt(xx * yy), -1.0, 1.0);
  return line;
}

}  // namespace spinert::evaluation
