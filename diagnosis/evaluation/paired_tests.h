// paired_tests.h - whether two systems on the same slices differ by more than chance: Wilcoxon's signed-rank test for
// figures per slice, McNemar's test for right and wrong labels. Two-sided.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace spinert::evaluation {

struct Wilcoxon {
  double statistic = 0;  // the smaller of the two sums of ranks
  double p = 0;
  int64_t pairs = 0;   // that differ
  bool exact = false;  // else the normal approximation with the correction for ties, without one for continuity
};
// Pairs without a difference are dropped. Exact for at most 50 pairs without ties. Nothing if no pair differs.
std::optional<Wilcoxon> wilcoxon_signed_rank(std::span<const double> differences);

struct McNemar {
  int64_t only_first = 0, only_second = 0;  // right by one and wrong by the other
  double p = 0;
  bool exact = false;  // else chi-squared with the correction for continuity
};
// Exact (binomial) below 25 pairs that differ. Nothing if no pair differs.
std::optional<McNemar> mcnemar(int64_t only_first, int64_t only_second);

}  // namespace spinert::evaluation
