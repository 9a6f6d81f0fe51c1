#include "diagnosis/evaluation/class_metrics.h"

namespace spinert::evaluation {
namespace {

// Counts one vertebra that was looked at.
void count(Confusion& confusion, bool truth, bool said) {
  ++(truth ? (said ? confusion.true_positive : confusion.false_negative)
           : (said ? confusion.false_positive : confusion.true_negative));
}

void count_missed(Confusion& confusion, bool truth) {
  if (truth) {
    ++confusion.false_negative;
    ++confusion.missed;
  } else {
    ++confusion.left_out;
  }
}

}  // namespace

Rate proportion(int64_t part, int64_t whole) {
  if (whole == 0) return {};
  return {static_cast<double>(part) / static_cast<double>(whole), wilson_interval(part, whole)};
}

ClassFigures class_figures(const Confusion& confusion, std::span<const Scored> scores) {
  const int64_t tp = confusion.true_positive, fp = confusion.false_positive, fn = confusion.false_negative,
                tn = confusion.true_negative;
  ClassFigures figures;
  figures.confusion = confusion;
  figures.sensitivity = proportion(tp, tp + fn);
  figures.specificity = proportion(tn, tn + fp);
  figures.ppv = proportion(tp, tp + fp);
  figures.npv = proportion(tn, tn + fn);
  figures.accuracy = proportion(tp + tn, tp + tn + fp + fn);
  if (tp + fp + fn > 0) {
    figures.f1 = {2.0 * static_cast<double>(tp) / static_cast<double>(2 * tp + fp + fn), f1_interval(tp, fp + fn)};
  }
  figures.auc = area_under_roc(scores);
  figures.average_precision = average_precision(scores);
  figures.roc = roc_curve(scores);
  return figures;
}

Confusion end_to_end_confusion(std::span<const SliceOutcome> outcomes, size_t c) {
  Confusion confusion;
  for (const SliceOutcome& outcome : outcomes) {
    for (size_t t = 0; t < outcome.found_of.size(); ++t) {
      const bool truth = has_class(outcome.truth->vertebrae[t].labels, c);
      if (outcome.found_of[t] == kNoMatch) {
        count_missed(confusion, truth);
      } else {
        count(confusion, truth, has_class(outcome.vertebra(outcome.found_of[t]).labels, c));
      }
    }
    for (const int f : outcome.false_found) {
      if (!has_class(outcome.vertebra(f).labels, c)) continue;
      ++confusion.false_positive;
      ++confusion.false_boxes;
    }
  }
  return confusion;
}

std::vector<Scored> end_to_end_scores(std::span<const SliceOutcome> outcomes, size_t c) {
  std::vector<Scored> scores = found_scores(outcomes, c);
  for (const SliceOutcome& outcome : outcomes) {
    for (size_t t = 0; t < outcome.found_of.size(); ++t) {
      if (outcome.found_of[t] == kNoMatch && has_class(outcome.truth->vertebrae[t].labels, c)) {
        scores.push_back({kNeverFound, true});
      }
    }
  }
  return scores;
}

std::vector<Scored> found_scores(std::span<const SliceOutcome> outcomes, size_t c) {
  std::vector<Scored> scores;
  for (const SliceOutcome& outcome : outcomes) {
    for (size_t t = 0; t < outcome.found_of.size(); ++t) {
      if (outcome.found_of[t] == kNoMatch) continue;
      scores.push_back(
          {outcome.vertebra(outcome.found_of[t]).probabilities[c], has_class(outcome.truth->vertebrae[t].labels, c)});
    }
  }
  return scores;
}

Confusion patch_confusion(std::span<const SliceOutcome> outcomes, size_t c, float threshold) {
  Confusion confusion;
  for (const SliceOutcome& outcome : outcomes) {
    const bool looked = outcome.found && !outcome.found->on_truth.empty();
    for (size_t t = 0; t < outcome.truth->vertebrae.size(); ++t) {
      const bool truth = has_class(outcome.truth->vertebrae[t].labels, c);
      if (looked) {
        count(confusion, truth, outcome.found->on_truth[t][c] >= threshold);
      } else {
        count_missed(confusion, truth);
      }
    }
  }
  return confusion;
}

std::vector<Scored> patch_scores(std::span<const SliceOutcome> outcomes, size_t c) {
  std::vector<Scored> scores;
  for (const SliceOutcome& outcome : outcomes) {
    const bool looked = outcome.found && !outcome.found->on_truth.empty();
    for (size_t t = 0; t < outcome.truth->vertebrae.size(); ++t) {
      const bool truth = has_class(outcome.truth->vertebrae[t].labels, c);
      if (looked) {
        scores.push_back({outcome.found->on_truth[t][c], truth});
      } else if (truth) {
        scores.push_back({kNeverFound, true});
      }
    }
  }
  return scores;
}

Averages average_over(std::span<const ClassFigures> figures, const std::vector<size_t>& classes) {
  Averages averages;
  averages.classes = static_cast<int>(classes.size());
  const auto mean = [&](auto value_of) {
    Average average;
    double sum = 0;
    for (const size_t c : classes) {
      const std::optional<double> value = value_of(figures[c]);
      if (!value) continue;
      sum += *value;
      ++average.over;
    }
    if (average.over > 0) average.value = sum / average.over;
    return average;
  };
  averages.auc = mean([](const ClassFigures& f) { return f.auc ? std::optional(f.auc->area) : std::nullopt; });
  averages.average_precision = mean([](const ClassFigures& f) { return f.average_precision; });
  averages.sensitivity = mean([](const ClassFigures& f) { return f.sensitivity.value; });
  averages.specificity = mean([](const ClassFigures& f) { return f.specificity.value; });
  averages.ppv = mean([](const ClassFigures& f) { return f.ppv.value; });
  averages.npv = mean([](const ClassFigures& f) { return f.npv.value; });
  averages.f1 = mean([](const ClassFigures& f) { return f.f1.value; });
  averages.accuracy = mean([](const ClassFigures& f) { return f.accuracy.value; });
  return averages;
}

std::vector<std::vector<int64_t>> cross_table(std::span<const SliceOutcome> outcomes, size_t classes) {
  const size_t unlabelled = classes, missed = classes + 1, no_vertebra = classes;
  std::vector<std::vector<int64_t>> table(classes + 1, std::vector<int64_t>(classes + 2, 0));
  const auto add = [&](size_t row, LabelSet truth, LabelSet given) {
    if (given == 0) ++table[row][unlabelled];
    // A second class that is annotated as well is no confusion.
    for (size_t c = 0; c < classes; ++c) table[row][c] += has_class(given, c) && (c == row || !has_class(truth, c));
  };
  for (const SliceOutcome& outcome : outcomes) {
    for (size_t t = 0; t < outcome.found_of.size(); ++t) {
      const LabelSet truth = outcome.truth->vertebrae[t].labels;
      for (size_t row = 0; row < classes; ++row) {
        if (!has_class(truth, row)) continue;
        if (outcome.found_of[t] == kNoMatch) {
          ++table[row][missed];
        } else {
          add(row, truth, outcome.vertebra(outcome.found_of[t]).labels);
        }
      }
    }
    for (const int f : outcome.false_found) add(no_vertebra, 0, outcome.vertebra(f).labels);
  }
  return table;
}

}  // namespace spinert::evaluation
