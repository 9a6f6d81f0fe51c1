#include "diagnosis/evaluation/matching.h"

#include <algorithm>

namespace spinert::evaluation {
namespace {

double area(const Rect& r) {
  return (r.x2 - r.x1) * (r.y2 - r.y1);
}

double intersection(const Rect& a, const Rect& b) {
  const double w = std::min(a.x2, b.x2) - std::max(a.x1, b.x1), h = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  return w > 0 && h > 0 ? w * h : 0;
}

}  // namespace

double iou(const Rect& a, const Rect& b) {
  const double inter = intersection(a, b);
  return inter > 0 ? inter / (area(a) + area(b) - inter) : 0;
}

double iom(const Rect& a, const Rect& b) {
  const double inter = intersection(a, b);
  return inter > 0 ? inter / std::min(area(a), area(b)) : 0;
}

Matching match_boxes(std::span<const Rect> truth, std::span<const Rect> found) {
  struct Overlap {
    double iou;
    size_t truth, found;
  };
  std::vector<Overlap> overlaps;
  for (size_t t = 0; t < truth.size(); ++t) {
    for (size_t f = 0; f < found.size(); ++f) {
      if (iom(truth[t], found[f]) > kMatchIom) overlaps.push_back({iou(truth[t], found[f]), t, f});
    }
  }
  std::ranges::stable_sort(overlaps, [](const Overlap& a, const Overlap& b) { return a.iou > b.iou; });
  Matching matching{std::vector<int>(truth.size(), kNoMatch), std::vector<int>(found.size(), kNoMatch)};
  for (const Overlap& o : overlaps) {
    if (matching.truth_to_found[o.truth] != kNoMatch || matching.found_to_truth[o.found] != kNoMatch) continue;
    matching.truth_to_found[o.truth] = static_cast<int>(o.found);
    matching.found_to_truth[o.found] = static_cast<int>(o.truth);
  }
  return matching;
}

}  // namespace spinert::evaluation
