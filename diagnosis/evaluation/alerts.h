// alerts.h - what a reader would be told of a vertebra, a slice or a study: positive (a disease), review (a person must
// look), negative. Sensitivity counts only `positive`, specificity only `negative`: a doubt is a success of neither.
#pragma once

#include <span>

#include "diagnosis/evaluation/class_metrics.h"
#include "diagnosis/evaluation/outcomes.h"

namespace spinert::evaluation {

struct AlertTable {
  // Of what has a disease, and of what has none: told positive, review, negative.
  int64_t diseased[3] = {0, 0, 0}, healthy[3] = {0, 0, 0};
  int64_t false_alarms = 0;  // vertebrae only: boxes that are no vertebra and have a disease label

  int64_t diseased_count() const { return diseased[0] + diseased[1] + diseased[2]; }
  int64_t healthy_count() const { return healthy[0] + healthy[1] + healthy[2]; }
  Rate sensitivity() const { return proportion(diseased[0], diseased_count()); }
  Rate specificity() const { return proportion(healthy[2], healthy_count()); }
  // Sensitivity if every review is followed by a look.
  Rate sensitivity_with_review() const { return proportion(diseased[0] + diseased[1], diseased_count()); }
};

// A vertebra that the truth names on several slices is positive if one of them shows it with a disease label, and
// negative only if every one of them shows it labelled and without one. Without a name each annotation is a vertebra.
AlertTable vertebra_alerts(std::span<const SliceOutcome> outcomes, LabelSet diseases);
// The alert that the slice carries; failed and unseen slices are for review.
AlertTable slice_alerts(std::span<const SliceOutcome> outcomes, LabelSet diseases);
// One or more positive slices make a study positive; it is negative only if all of its slices are. Nothing unless the
// truth names the study of every slice.
std::optional<AlertTable> study_alerts(std::span<const SliceOutcome> outcomes, LabelSet diseases);

}  // namespace spinert::evaluation
