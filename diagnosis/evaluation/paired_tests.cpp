#include "diagnosis/evaluation/paired_tests.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "diagnosis/evaluation/intervals.h"

namespace spinert::evaluation {
namespace {

constexpr size_t kMostExactPairs = 50;    // beyond, the approximation is as good
constexpr int64_t kLeastChiSquared = 25;  // discordant pairs

// P(T <= limit) of the sum of ranks of n pairs, each rank with a fair sign. Counts stay below 2^50: exact in double.
double rank_sum_cdf(size_t n, double limit) {
  std::vector<double> ways(n * (n + 1) / 2 + 1, 0.0);
  ways[0] = 1;
  for (size_t rank = 1; rank <= n; ++rank) {
    for (size_t sum = rank * (rank + 1) / 2; sum >= rank; --sum) ways[sum] += ways[sum - rank];
  }
  double below = 0;
  for (size_t sum = 0; sum < ways.size() && static_cast<double>(sum) <= limit; ++sum) below += ways[sum];
  return std::ldexp(below, -static_cast<int>(n));
}

}  // namespace

std::optional<Wilcoxon> wilcoxon_signed_rank(std::span<const double> differences) {
  std::vector<double> values;
  for (const double d : differences) {
    if (d != 0) values.push_back(d);
  }
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values, [](double a, double b) { return std::abs(a) < std::abs(b); });
  double positive = 0, ties = 0;
  for (size_t begin = 0; begin < values.size();) {
    size_t end = begin;
    while (end < values.size() && std::abs(values[end]) == std::abs(values[begin])) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end), size = static_cast<double>(end - begin);
    for (size_t i = begin; i < end; ++i) positive += values[i] > 0 ? rank : 0;
    ties += size * (size * size - 1);
    begin = end;
  }
  const auto n = static_cast<double>(values.size());
  Wilcoxon result;
  result.pairs = static_cast<int64_t>(values.size());
  result.statistic = std::min(positive, n * (n + 1) / 2 - positive);
  result.exact = ties == 0 && values.size() <= kMostExactPairs;
  if (result.exact) {
    result.p = std::min(1.0, 2 * rank_sum_cdf(values.size(), result.statistic));
  } else {
    const double variance = (n * (n + 1) * (2 * n + 1) - 0.5 * ties) / 24;
    result.p = normal_two_sided((positive - n * (n + 1) / 4) / std::sqrt(variance));
  }
  return result;
}

std::optional<McNemar> mcnemar(int64_t only_first, int64_t only_second) {
  const int64_t n = only_first + only_second;
  if (n <= 0) return std::nullopt;
  McNemar result{only_first, only_second, 0, n < kLeastChiSquared};
  if (result.exact) {
    double term = 1, sum = 0;  // binomial coefficients, below 2^25
    for (int64_t k = 0; k <= std::min(only_first, only_second); ++k) {
      sum += term;
      term = term * static_cast<double>(n - k) / static_cast<double>(k + 1);
    }
    result.p = std::min(1.0, 2 * std::ldexp(sum, -static_cast<int>(n)));
  } else {
    const double gap = std::abs(static_cast<double>(only_first - only_second)) - 1;
    result.p = normal_two_sided(std::sqrt(gap * gap / static_cast<double>(n)));
  }
  return result;
}

}  // namespace spinert::evaluation
