// threshold_choice.h - the threshold of a class that does best on a validation set.
#pragma once

#include <optional>
#include <span>

#include "diagnosis/evaluation/roc.h"

namespace spinert::evaluation {

enum class ThresholdGoal : unsigned char {
  youden,  // sensitivity + specificity - 1
  f1,
};

struct ChosenThreshold {
  double threshold = 0;  // exactly a float, as it is compared with one
  double goal = 0;       // reached on these values
};
// Half way between the last score that is called positive and the next one below it, so that a new value near the
// border falls to the nearer side; of equal goals the lowest, most sensitive threshold. Scores below 0 stand for what
// no threshold finds. Nothing unless there are positives and negatives.
std::optional<ChosenThreshold> choose_threshold(std::span<const Scored> values, ThresholdGoal goal);

}  // namespace spinert::evaluation
