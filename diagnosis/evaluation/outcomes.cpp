#include "diagnosis/evaluation/outcomes.h"

namespace spinert::evaluation {

std::vector<SliceOutcome> compare_slices(const std::vector<SlicePair>& pairs) {
  std::vector<SliceOutcome> outcomes;
  outcomes.reserve(pairs.size());
  for (const SlicePair& pair : pairs) {
    SliceOutcome outcome;
    outcome.truth = pair.truth;
    outcome.found = pair.found;
    outcome.usable = pair.found && pair.found->completed();
    const std::vector<TruthVertebra>& truth = pair.truth->vertebrae;
    std::vector<Rect> annotated, found;
    for (const TruthVertebra& vertebra : truth) annotated.push_back(vertebra.box);
    if (pair.found) {
      for (const FoundVertebra& vertebra : pair.found->vertebrae) found.push_back(vertebra.box);
    }
    const Matching matching = match_boxes(annotated, found);
    outcome.annotated = static_cast<int64_t>(truth.size());
    for (size_t t = 0; t < truth.size(); ++t) {
      const int match = outcome.usable ? matching.truth_to_found[t] : kNoMatch;
      outcome.found_of.push_back(match);
      ++(match == kNoMatch ? outcome.missed : outcome.hits);
      if (match == kNoMatch || outcome.vertebra(match).labels != truth[t].labels) ++outcome.wrong_labels;
    }
    for (size_t f = 0; f < found.size(); ++f) {
      if (matching.found_to_truth[f] != kNoMatch) continue;
      outcome.false_found.push_back(static_cast<int>(f));
      ++outcome.false_boxes;
    }
    outcomes.push_back(std::move(outcome));
  }
  return outcomes;
}

}  // namespace spinert::evaluation
