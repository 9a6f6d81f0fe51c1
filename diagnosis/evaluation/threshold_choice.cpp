#include "diagnosis/evaluation/threshold_choice.h"

#include <algorithm>

namespace spinert::evaluation {

std::optional<ChosenThreshold> choose_threshold(std::span<const Scored> values, ThresholdGoal goal) {
  const auto positives = static_cast<double>(std::ranges::count(values, true, &Scored::positive));
  const double negatives = static_cast<double>(values.size()) - positives;
  const std::vector<RocPoint> curve = roc_curve(values);
  std::optional<ChosenThreshold> best;
  for (size_t i = 1; i < curve.size() && curve[i].threshold >= 0; ++i) {
    const double hits = curve[i].true_positive_rate * positives, alarms = curve[i].false_positive_rate * negatives;
    const double reached = goal == ThresholdGoal::youden ? curve[i].true_positive_rate - curve[i].false_positive_rate
                                                         : 2 * hits / (positives + hits + alarms);
    if (best && reached < best->goal) continue;
    const double above = curve[i].threshold;
    const double below = i + 1 < curve.size() ? std::max(0.0, curve[i + 1].threshold) : 0.0;
    const auto middle = static_cast<double>(static_cast<float>(0.5 * (above + below)));
    best = {middle > below && middle <= above ? middle : above, reached};
  }
  return best;
}

}  // namespace spinert::evaluation
