// outcomes.h - what became of every annotated vertebra and of every found box, slice by slice.
//
// One rule for doubt: a slice that is not `completed`, or that the system never saw, shows nothing. Its annotated
// vertebrae count as missed; of its boxes those that match nothing still count as false, the others for nothing.
#pragma once

#include <vector>

#include "diagnosis/evaluation/matching.h"
#include "diagnosis/evaluation/pairing.h"

namespace spinert::evaluation {

struct SliceOutcome {
  const TruthSlice* truth = nullptr;
  const FoundSlice* found = nullptr;  // null: never seen
  bool usable = false;
  std::vector<int> found_of;     // for each annotated vertebra its box, or kNoMatch: missed
  std::vector<int> false_found;  // boxes that match nothing
  int64_t annotated = 0, hits = 0, missed = 0, false_boxes = 0;
  int64_t wrong_labels = 0;  // annotated vertebrae that were missed or whose labels are not exactly the annotated ones

  int64_t detected() const { return hits + false_boxes; }
  const FoundVertebra& vertebra(int found_index) const { return found->vertebrae[static_cast<size_t>(found_index)]; }
};

std::vector<SliceOutcome> compare_slices(const std::vector<SlicePair>& pairs);

}  // namespace spinert::evaluation
