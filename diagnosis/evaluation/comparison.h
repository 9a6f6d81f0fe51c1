// comparison.h - two systems on the same truth: two models, or a model and a person.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/evaluation/outcomes.h"
#include "diagnosis/evaluation/paired_tests.h"
#include "diagnosis/evaluation/roc.h"

namespace spinert::evaluation {

struct SliceComparison {
  std::string figure;  // missed, false_boxes, wrong_labels: per slice
  double mean_first = 0, mean_second = 0;
  std::optional<Wilcoxon> test;  // nothing: no slice differs
};
struct ClassComparison {
  std::optional<AucComparison> auc;  // DeLong
  int64_t auc_units = 0, auc_left_out = 0;
  std::optional<McNemar> labels;  // right and wrong by class and vertebra; nothing: no vertebra differs
};
struct Comparison {
  std::string first, second;  // names of the systems
  bool second_is_reader = false;
  size_t slices = 0;  // that both were given
  std::vector<SliceComparison> per_slice;
  std::vector<ClassComparison> classes;
};

// Outcomes of the same slices of the truth, in the same order.
//
// The areas are over annotated vertebrae. One that a system missed has the lowest score if it has the class; without
// the class it has no score that would not favour or punish by invention, so it is left out for both and counted.
// For the labels a missed vertebra is wrong in every class.
Comparison compare_systems(std::span<const SliceOutcome> first, std::span<const SliceOutcome> second, size_t classes);

}  // namespace spinert::evaluation
