// intervals.h - 95 % confidence intervals.
#pragma once

#include <cstdint>
#include <optional>

namespace spinert::evaluation {

inline constexpr double kNormal95 = 1.959963984540054;  // quantile 0.975 of the normal distribution

struct Interval {
  double low = 0, high = 0;
};

// Wilson's score interval of a proportion. Nothing without trials.
std::optional<Interval> wilson_interval(int64_t successes, int64_t trials);

// F1 = 2J / (1 + J) with J = TP / (TP + FP + FN): J is a proportion, so its Wilson interval carries over.
std::optional<Interval> f1_interval(int64_t true_positive, int64_t errors);

// The interval auc +- 1.96 sqrt(variance), cut to [0, 1].
Interval normal_interval(double auc, double variance);

// Score interval of an AUC with the variance of Hanley and McNeil at the limit itself, as Newcombe (2006) proposes. It
// does not shrink to a point when the classes are parted completely, where the variance of DeLong is 0.
// Nothing without positives or negatives.
std::optional<Interval> auc_score_interval(double auc, int64_t positives, int64_t negatives);

// Probability that a standard normal variable lies further from 0 than |z|.
double normal_two_sided(double z);

}  // namespace spinert::evaluation
