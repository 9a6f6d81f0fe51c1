// pairing.h - which slice of a system belongs to which slice of the truth. By file name; where a name occurs in several
// studies of the truth, by study (name of the folder) and file name.
//
// Nothing is left out in silence: a slice that only one side knows is E_TRUTH unless the caller says what it means. So
// is a slice whose size is not the one the truth says, and an annotated box outside a slice whose size only the report
// knows. A name that the reports hold twice is E_REPORT.
#pragma once

#include <vector>

#include "diagnosis/evaluation/records.h"
#include "kernels/base/status.h"

namespace spinert::evaluation {

struct SlicePair {
  const TruthSlice* truth = nullptr;
  const FoundSlice* found = nullptr;  // null: the system never saw it; its vertebrae count as missed
};

// What a slice of the truth without a result means.
enum class Absent : unsigned char {
  refuse,  // an error
  missed,  // the system failed on it
  ignore,  // it is not part of this evaluation; then results without truth are left out, too
};

struct Pairing {
  std::vector<SlicePair> pairs;  // in the order of the truth
  size_t left_out_truth = 0, left_out_found = 0;
};

// The pairs point into truth and system, which must stay where they are.
Result<Pairing> pair_slices(const Truth& truth, const System& system, Absent absent);

}  // namespace spinert::evaluation
