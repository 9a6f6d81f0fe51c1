#include "diagnosis/evaluation/intervals.h"

#include <algorithm>
#include <cmath>

namespace spinert::evaluation {
namespace {

constexpr int kBisections = 80;  // the limits are then as exact as a double

}  // namespace

std::optional<Interval> wilson_interval(int64_t successes, int64_t trials) {
  if (trials <= 0) return std::nullopt;
  const auto n = static_cast<double>(trials);
  const double p = static_cast<double>(successes) / n, z2 = kNormal95 * kNormal95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kNormal95 * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n);
  // At the ends of the scale the limit is the end itself; the formula misses it by rounding.
  return Interval{successes == 0 ? 0 : std::max(0.0, centre - half),
                  successes == trials ? 1 : std::min(1.0, centre + half)};
}

std::optional<Interval> f1_interval(int64_t true_positive, int64_t errors) {
  const auto jaccard = wilson_interval(true_positive, true_positive + errors);
  if (!jaccard) return std::nullopt;
  return Interval{2 * jaccard->low / (1 + jaccard->low), 2 * jaccard->high / (1 + jaccard->high)};
}

Interval normal_interval(double auc, double variance) {
  const double half = kNormal95 * std::sqrt(variance);
  return {std::max(0.0, auc - half), std::min(1.0, auc + half)};
}

std::optional<Interval> auc_score_interval(double auc, int64_t positives, int64_t negatives) {
  if (positives <= 0 || negatives <= 0) return std::nullopt;
  const auto m = static_cast<double>(positives), n = static_cast<double>(negatives);
  const double pairs = (m + n) / 2 - 1;
  // How many standard errors theta lies from the estimate, minus the allowed number.
  const auto excess = [&](double theta) {
    const double variance =
        theta * (1 - theta) * (1 + pairs * (1 - theta) / (2 - theta) + pairs * theta / (1 + theta)) / (m * n);
    return std::abs(theta - auc) - kNormal95 * std::sqrt(std::max(0.0, variance));
  };
  const auto limit = [&](double outside) {
    if (excess(outside) <= 0) return outside;  // the estimate stands at that end
    double far = outside, near = auc;
    for (int i = 0; i < kBisections; ++i) {
      const double middle = 0.5 * (far + near);
      (excess(middle) > 0 ? far : near) = middle;
    }
    return near;
  };
  return Interval{limit(0), limit(1)};
}

double normal_two_sided(double z) {
  return std::erfc(std::abs(z) / std::sqrt(2.0));
}

}  // namespace spinert::evaluation
