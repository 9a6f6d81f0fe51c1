#include "diagnosis/evaluation/average_precision.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/evaluation/matching.h"

namespace spinert::evaluation {
namespace {

constexpr size_t kCocoBoxes = 100;  // of each slice
constexpr int kCocoRecalls = 101, kCocoIous = 10;

// Precisions raised from the right: none is below a later one.
void raise(std::vector<double>& precision) {
  for (size_t i = precision.size(); i > 1; --i) precision[i - 2] = std::max(precision[i - 2], precision[i - 1]);
}

double coco_from_ranking(const Ranking& ranking) {
  std::vector<double> precision, recall;
  double hits = 0;
  for (size_t i = 0; i < ranking.boxes.size(); ++i) {
    if (ranking.boxes[i].hit) ++hits;
    precision.push_back(hits / static_cast<double>(i + 1));
    recall.push_back(hits / static_cast<double>(ranking.truth));
  }
  raise(precision);
  double sum = 0;
  for (int r = 0; r < kCocoRecalls; ++r) {
    const double wanted = r == kCocoRecalls - 1 ? 1.0 : r * (1.0 / (kCocoRecalls - 1));
    const auto at = std::ranges::lower_bound(recall, wanted) - recall.begin();
    if (at < static_cast<std::ptrdiff_t>(precision.size())) sum += precision[static_cast<size_t>(at)];
  }
  return sum / kCocoRecalls;
}

}  // namespace

Ranking rank_boxes(std::span<const SliceBoxes> slices, double iou_threshold, size_t max_boxes) {
  Ranking ranking;
  for (const SliceBoxes& slice : slices) {
    ranking.truth += slice.truth.size();
    std::vector<FoundBox> found = slice.found;
    std::ranges::stable_sort(found, [](const FoundBox& a, const FoundBox& b) { return a.score > b.score; });
    if (found.size() > max_boxes) found.resize(max_boxes);
    std::vector<bool> taken(slice.truth.size(), false);
    for (const FoundBox& box : found) {
      // Of equal overlaps the later one wins, as in pycocotools.
      double best = std::min(iou_threshold, 1 - 1e-10);
      size_t match = slice.truth.size();
      for (size_t t = 0; t < slice.truth.size(); ++t) {
        if (taken[t]) continue;
        const double overlap = iou(slice.truth[t], box.box);
        if (overlap < best) continue;
        best = overlap;
        match = t;
      }
      const bool hit = match < slice.truth.size();
      if (hit) taken[match] = true;
      if (slice.usable || !hit) ranking.boxes.push_back({box.score, hit});
    }
  }
  std::ranges::stable_sort(ranking.boxes, [](const RankedBox& a, const RankedBox& b) { return a.score > b.score; });
  return ranking;
}

std::vector<PrecisionRecallPoint> precision_recall(const Ranking& ranking) {
  std::vector<PrecisionRecallPoint> points;
  if (ranking.truth == 0) return points;
  double hits = 0;
  for (size_t i = 0; i < ranking.boxes.size(); ++i) {
    if (ranking.boxes[i].hit) ++hits;
    // No threshold parts boxes of one score.
    if (i + 1 < ranking.boxes.size() && ranking.boxes[i + 1].score == ranking.boxes[i].score) continue;
    points.push_back(
        {ranking.boxes[i].score, hits / static_cast<double>(i + 1), hits / static_cast<double>(ranking.truth)});
  }
  return points;
}

std::optional<double> voc_average_precision(const Ranking& ranking) {
  if (ranking.truth == 0) return std::nullopt;
  const auto points = precision_recall(ranking);
  std::vector<double> precision;
  for (const auto& point : points) precision.push_back(point.precision);
  raise(precision);
  double sum = 0, before = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    sum += (points[i].recall - before) * precision[i];
    before = points[i].recall;
  }
  return sum;
}

std::optional<double> coco_average_precision(std::span<const SliceBoxes> slices, double iou_threshold) {
  const Ranking ranking = rank_boxes(slices, iou_threshold, kCocoBoxes);
  if (ranking.truth == 0) return std::nullopt;
  return coco_from_ranking(ranking);
}

std::optional<double> coco_average_precision(std::span<const SliceBoxes> slices) {
  double sum = 0;
  for (int i = 0; i < kCocoIous; ++i) {
    // The same doubles as numpy.linspace(0.5, 0.95, 10).
    const double threshold = i == kCocoIous - 1 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / (kCocoIous - 1));
    const auto value = coco_average_precision(slices, threshold);
    if (!value) return std::nullopt;
    sum += *value;
  }
  return sum / kCocoIous;
}

}  // namespace spinert::evaluation
