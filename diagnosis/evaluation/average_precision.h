// average_precision.h - how well the detector ranks its boxes: precision-recall curve and average precision over all
// slices, in two conventions that are both common and not equal.
//
// Boxes are matched per slice, best score first, each with the still free annotated box of the largest IoU that reaches
// the threshold; equal scores keep the order of the slices and of the boxes (as pycocotools does).
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "diagnosis/evaluation/records.h"

namespace spinert::evaluation {

struct SliceBoxes {
  std::vector<FoundBox> found;
  std::vector<Rect> truth;
  // Of a slice whose result may not be read: its annotated boxes stay, a box that matches one counts for nothing, one
  // that matches none is false all the same.
  bool usable = true;
};

struct RankedBox {
  double score;
  bool hit;
};
struct Ranking {
  std::vector<RankedBox> boxes;  // best first
  size_t truth = 0;              // annotated boxes of all slices
};
// max_boxes: of each slice, best first.
Ranking rank_boxes(std::span<const SliceBoxes> slices, double iou_threshold, size_t max_boxes = SIZE_MAX);

struct PrecisionRecallPoint {
  double score, precision, recall;  // of all boxes with at least this score
};
// One point for each distinct score, best first. Empty without boxes or without truth.
std::vector<PrecisionRecallPoint> precision_recall(const Ranking& ranking);

// Area under the curve after each precision is raised to the best one at the same or a higher recall ("all points", as
// in Pascal VOC since 2010). Nothing without truth; 0 without boxes.
std::optional<double> voc_average_precision(const Ranking& ranking);

// Mean over IoU 0.50, 0.55, ... 0.95 of the raised precision at the 101 recalls 0, 0.01, ... 1, with at most 100 boxes
// per slice, as pycocotools computes it. Nothing without truth.
std::optional<double> coco_average_precision(std::span<const SliceBoxes> slices);
// The same at one IoU.
std::optional<double> coco_average_precision(std::span<const SliceBoxes> slices, double iou_threshold);

}  // namespace spinert::evaluation
