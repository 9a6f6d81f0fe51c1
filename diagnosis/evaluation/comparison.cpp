#include "diagnosis/evaluation/comparison.h"

#include "diagnosis/evaluation/class_metrics.h"

namespace spinert::evaluation {
namespace {

SliceComparison compare_slices_by(const char* name, int64_t SliceOutcome::*figure, std::span<const SliceOutcome> first,
                                  std::span<const SliceOutcome> second) {
  SliceComparison result;
  result.figure = name;
  std::vector<double> differences;
  for (size_t i = 0; i < first.size(); ++i) {
    const auto a = static_cast<double>(first[i].*figure), b = static_cast<double>(second[i].*figure);
    differences.push_back(a - b);
    result.mean_first += a / static_cast<double>(first.size());
    result.mean_second += b / static_cast<double>(first.size());
  }
  result.test = wilcoxon_signed_rank(differences);
  return result;
}

ClassComparison compare_class(std::span<const SliceOutcome> first, std::span<const SliceOutcome> second, size_t c) {
  ClassComparison result;
  std::vector<PairedScore> scores;
  int64_t only_first = 0, only_second = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    for (size_t t = 0; t < first[i].found_of.size(); ++t) {
      const bool truth = has_class(first[i].truth->vertebrae[t].labels, c);
      const SliceOutcome* const outcomes[] = {&first[i], &second[i]};
      double score[2];
      bool right[2], missed = false;
      for (int s = 0; s < 2; ++s) {
        const int found = outcomes[s]->found_of[t];
        missed = missed || found == kNoMatch;
        score[s] = found == kNoMatch ? kNeverFound : outcomes[s]->vertebra(found).probabilities[c];
        right[s] = found != kNoMatch && has_class(outcomes[s]->vertebra(found).labels, c) == truth;
      }
      only_first += right[0] && !right[1];
      only_second += right[1] && !right[0];
      if (missed && !truth) {
        ++result.auc_left_out;
      } else {
        scores.push_back({score[0], score[1], truth});
      }
    }
  }
  result.auc_units = static_cast<int64_t>(scores.size());
  result.auc = compare_auc(scores);
  result.labels = mcnemar(only_first, only_second);
  return result;
}

}  // namespace

Comparison compare_systems(std::span<const SliceOutcome> first, std::span<const SliceOutcome> second, size_t classes) {
  Comparison comparison;
  comparison.slices = first.size();
  comparison.per_slice = {compare_slices_by("missed", &SliceOutcome::missed, first, second),
                          compare_slices_by("false_boxes", &SliceOutcome::false_boxes, first, second),
                          compare_slices_by("wrong_labels", &SliceOutcome::wrong_labels, first, second)};
  for (size_t c = 0; c < classes; ++c) comparison.classes.push_back(compare_class(first, second, c));
  return comparison;
}

}  // namespace spinert::evaluation
