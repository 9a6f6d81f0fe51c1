#include "diagnosis/evaluation/alerts.h"

#include <algorithm>
#include <map>

namespace spinert::evaluation {
namespace {

enum Told { positive = 0, review = 1, negative = 2 };

// Several parts of one thing: a positive one decides, else a doubtful one.
struct Whole {
  bool diseased = false;
  Told told = negative;

  void add(bool part_diseased, Told part) {
    diseased = diseased || part_diseased;
    told = std::min(told, part);
  }
};

void count(AlertTable& table, const Whole& whole) {
  ++(whole.diseased ? table.diseased : table.healthy)[whole.told];
}

Told slice_alert(const SliceOutcome& outcome) {
  if (!outcome.found || outcome.found->status == "failed") return review;
  if (outcome.found->alert == "positive") return positive;
  return outcome.usable && outcome.found->alert == "negative" ? negative : review;
}

bool slice_diseased(const SliceOutcome& outcome, LabelSet diseases) {
  return std::ranges::any_of(outcome.truth->vertebrae,
                             [diseases](const TruthVertebra& v) { return (v.labels & diseases) != 0; });
}

}  // namespace

AlertTable vertebra_alerts(std::span<const SliceOutcome> outcomes, LabelSet diseases) {
  AlertTable table;
  std::map<std::pair<std::string, std::string>, Whole> named;  // study, vertebra
  for (const SliceOutcome& outcome : outcomes) {
    for (size_t t = 0; t < outcome.found_of.size(); ++t) {
      const TruthVertebra& truth = outcome.truth->vertebrae[t];
      Told told = review;
      if (outcome.found_of[t] != kNoMatch) {
        const LabelSet labels = outcome.vertebra(outcome.found_of[t]).labels;
        told = (labels & diseases) != 0 ? positive : labels != 0 ? negative : review;
      }
      const bool diseased = (truth.labels & diseases) != 0;
      if (truth.vertebra.empty()) {
        Whole alone;
        alone.add(diseased, told);
        count(table, alone);
      } else {
        named[{outcome.truth->study, truth.vertebra}].add(diseased, told);
      }
    }
    for (const int f : outcome.false_found) table.false_alarms += (outcome.vertebra(f).labels & diseases) != 0;
  }
  for (const auto& [name, whole] : named) count(table, whole);
  return table;
}

AlertTable slice_alerts(std::span<const SliceOutcome> outcomes, LabelSet diseases) {
  AlertTable table;
  for (const SliceOutcome& outcome : outcomes) {
    Whole slice;
    slice.add(slice_diseased(outcome, diseases), slice_alert(outcome));
    count(table, slice);
  }
  return table;
}

std::optional<AlertTable> study_alerts(std::span<const SliceOutcome> outcomes, LabelSet diseases) {
  std::map<std::string, Whole> studies;
  for (const SliceOutcome& outcome : outcomes) {
    if (outcome.truth->study.empty()) return std::nullopt;
    studies[outcome.truth->study].add(slice_diseased(outcome, diseases), slice_alert(outcome));
  }
  AlertTable table;
  for (const auto& [name, study] : studies) count(table, study);
  return table;
}

}  // namespace spinert::evaluation
