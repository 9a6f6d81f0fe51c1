#include "diagnosis/evaluation/roc.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace spinert::evaluation {
namespace {

std::vector<Scored> best_first(std::span<const Scored> values) {
  std::vector<Scored> sorted(values.begin(), values.end());
  std::ranges::stable_sort(sorted, [](const Scored& a, const Scored& b) { return a.score > b.score; });
  return sorted;
}

// Calls step(score, positives, negatives) for each distinct score, best first, with what has at least that score.
template <class Step>
void walk(const std::vector<Scored>& sorted, Step step) {
  double positives = 0, negatives = 0;
  for (size_t i = 0; i < sorted.size(); ++i) {
    ++(sorted[i].positive ? positives : negatives);
    if (i + 1 == sorted.size() || sorted[i + 1].score != sorted[i].score) step(sorted[i].score, positives, negatives);
  }
}

// Ranks from 1, lowest first; equal values share the mean of their ranks.
std::vector<double> midranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, [&values](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
    begin = end;
  }
  return ranks;
}

// For each positive the share of negatives below it, for each negative the share of positives above it; ties half.
struct Placements {
  std::vector<double> of_positives, of_negatives;
  double area = 0;
};

Placements placements(const std::vector<double>& positives, const std::vector<double>& negatives) {
  std::vector<double> all = positives;
  all.insert(all.end(), negatives.begin(), negatives.end());
  const std::vector<double> together = midranks(all), alone_p = midranks(positives), alone_n = midranks(negatives);
  const auto m = static_cast<double>(positives.size()), n = static_cast<double>(negatives.size());
  Placements result;
  for (size_t i = 0; i < positives.size(); ++i) result.of_positives.push_back((together[i] - alone_p[i]) / n);
  for (size_t j = 0; j < negatives.size(); ++j) {
    result.of_negatives.push_back(1 - (together[positives.size() + j] - alone_n[j]) / m);
  }
  result.area = std::accumulate(result.of_positives.begin(), result.of_positives.end(), 0.0) / m;
  return result;
}

double covariance(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n;
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - mean_a) * (b[i] - mean_b);
  return sum / (n - 1);
}

bool all_equal(const std::vector<double>& values) {
  return std::ranges::adjacent_find(values, std::not_equal_to<>()) == values.end();
}

// DeLong's covariance of two areas. Placements that are all equal give exactly 0, whatever the mean rounds to.
double area_covariance(const Placements& a, const Placements& b) {
  const auto part = [](const std::vector<double>& x, const std::vector<double>& y) {
    return all_equal(x) || all_equal(y) ? 0.0 : covariance(x, y) / static_cast<double>(x.size());
  };
  return part(a.of_positives, b.of_positives) + part(a.of_negatives, b.of_negatives);
}

}  // namespace

std::vector<RocPoint> roc_curve(std::span<const Scored> values) {
  const auto positives = static_cast<double>(std::ranges::count(values, true, &Scored::positive));
  const double negatives = static_cast<double>(values.size()) - positives;
  std::vector<RocPoint> points;
  if (positives == 0 || negatives == 0) return points;
  points.push_back({std::numeric_limits<double>::infinity(), 0, 0});
  walk(best_first(values), [&](double score, double hits, double alarms) {
    points.push_back({score, alarms / negatives, hits / positives});
  });
  return points;
}

std::optional<Interval> Auc::interval() const {
  if (delong_interval()) return normal_interval(area, *variance);
  return auc_score_interval(area, positives, negatives);
}

std::optional<Auc> area_under_roc(std::span<const Scored> values) {
  std::vector<double> positives, negatives;
  for (const Scored& value : values) (value.positive ? positives : negatives).push_back(value.score);
  if (positives.empty() || negatives.empty()) return std::nullopt;
  const Placements placed = placements(positives, negatives);
  Auc auc{placed.area, std::nullopt, static_cast<int64_t>(positives.size()), static_cast<int64_t>(negatives.size())};
  if (positives.size() > 1 && negatives.size() > 1) auc.variance = area_covariance(placed, placed);
  return auc;
}

std::optional<double> average_precision(std::span<const Scored> values) {
  const auto positives = static_cast<double>(std::ranges::count(values, true, &Scored::positive));
  if (positives == 0) return std::nullopt;
  double sum = 0, before = 0;
  walk(best_first(values), [&](double, double hits, double alarms) {
    sum += (hits - before) / positives * (hits / (hits + alarms));
    before = hits;
  });
  return sum;
}

std::optional<AucComparison> compare_auc(std::span<const PairedScore> values) {
  std::vector<double> positives[2], negatives[2];
  for (const PairedScore& value : values) {
    auto* const to = value.positive ? positives : negatives;
    to[0].push_back(value.first);
    to[1].push_back(value.second);
  }
  if (positives[0].empty() || negatives[0].empty()) return std::nullopt;
  const Placements a = placements(positives[0], negatives[0]), b = placements(positives[1], negatives[1]);
  AucComparison result{a.area, b.area, std::nullopt, std::nullopt};
  if (positives[0].size() < 2 || negatives[0].size() < 2) return result;
  // The variance of the difference from the differences themselves: a sum of large terms would not cancel to 0.
  Placements difference;
  for (size_t i = 0; i < a.of_positives.size(); ++i) {
    difference.of_positives.push_back(a.of_positives[i] - b.of_positives[i]);
  }
  for (size_t j = 0; j < a.of_negatives.size(); ++j) {
    difference.of_negatives.push_back(a.of_negatives[j] - b.of_negatives[j]);
  }
  const double variance = area_covariance(difference, difference);
  if (!(variance > 0)) return result;
  result.z = (a.area - b.area) / std::sqrt(variance);
  result.p = normal_two_sided(*result.z);
  return result;
}

}  // namespace spinert::evaluation
