// matching.h - which found box is which annotated vertebra. All areas and overlaps in double.
//
// IoU is intersection over union, IoM intersection over the smaller of the two areas, the paper's measure: it forgives
// a box that is larger or smaller than the annotated one. Two boxes without area have neither: 0.
#pragma once

#include <span>
#include <vector>

#include "diagnosis/evaluation/records.h"

namespace spinert::evaluation {

double iou(const Rect& a, const Rect& b);
double iom(const Rect& a, const Rect& b);

inline constexpr int kNoMatch = -1;
inline constexpr double kMatchIom = 0.5;  // a match has more than this

struct Matching {
  std::vector<int> truth_to_found, found_to_truth;  // kNoMatch: missed, false
};

// One to one, by IoM > kMatchIom. Where a box could belong to several, pairs of the largest IoU go first (a small box
// inside two large ones has IoM 1 with both), then of the lower place in truth, then in found.
Matching match_boxes(std::span<const Rect> truth, std::span<const Rect> found);

}  // namespace spinert::evaluation
