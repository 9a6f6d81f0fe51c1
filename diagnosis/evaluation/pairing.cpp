#include "diagnosis/evaluation/pairing.h"

#include <map>
#include <set>

#include "config/json.h"
#include "diagnosis/evaluation/truth.h"

namespace spinert::evaluation {
namespace {

using Key = std::pair<std::string, std::string>;  // study (empty where names are unique), name

std::string shown(const std::string& study, const std::string& name) {
  return printable(study.empty() ? name : study + "/" + name);
}

Status check_size(const TruthSlice& truth, const FoundSlice& found) {
  if (found.width == 0 || found.height == 0) return {};  // it could not be read
  const auto size = [](int64_t width, int64_t height) {
    return std::to_string(width) + " x " + std::to_string(height);
  };
  const std::string place = shown(truth.study, truth.name);
  if (truth.width > 0 && (truth.width != found.width || truth.height != found.height)) {
    return error(ErrorId::E_TRUTH, "the slice has another size than the truth says", place)
        .expected(size(truth.width, truth.height), size(found.width, found.height));
  }
  const auto right = static_cast<double>(found.width), bottom = static_cast<double>(found.height);
  for (const TruthVertebra& vertebra : truth.vertebrae) {
    if (vertebra.box.x2 > right + kEdgeTolerance || vertebra.box.y2 > bottom + kEdgeTolerance) {
      return error(ErrorId::E_TRUTH, "a box lies outside its slice",
                   place + (vertebra.id.empty() ? "" : ", id " + printable(vertebra.id)))
          .expected("a box inside " + size(found.width, found.height),
                    "one that ends at " + std::to_string(vertebra.box.x2) + ", " + std::to_string(vertebra.box.y2));
    }
  }
  return {};
}

}  // namespace

Result<Pairing> pair_slices(const Truth& truth, const System& system, Absent absent) {
  std::map<std::string, int> count;
  for (const TruthSlice& slice : truth.slices) ++count[slice.name];
  const auto key = [&count](const std::string& study, const std::string& name) {
    const auto at = count.find(name);
    return Key{at != count.end() && at->second > 1 ? study : std::string(), name};
  };
  std::map<Key, const FoundSlice*> found;
  for (const FoundSlice& slice : system.slices) {
    if (!found.insert({key(slice.study, slice.name), &slice}).second) {
      return error(ErrorId::E_REPORT, "two results for one slice", shown(slice.study, slice.name))
          .hint("Give each slice once; equal names of different studies need a \"study\" in the truth.");
    }
  }
  Pairing pairing;
  std::set<const FoundSlice*> used;
  for (const TruthSlice& slice : truth.slices) {
    const auto at = found.find(key(slice.study, slice.name));
    if (at == found.end() && absent == Absent::ignore) {
      ++pairing.left_out_truth;
      continue;
    }
    if (at == found.end() && absent == Absent::refuse) {
      return error(ErrorId::E_TRUTH, "no result for a slice of the truth", shown(slice.study, slice.name))
          .hint("Give all slices, or say what it means: --absent missed or --absent ignore.");
    }
    const FoundSlice* const match = at == found.end() ? nullptr : at->second;
    if (match) SPINERT_TRY(check_size(slice, *match));
    used.insert(match);
    pairing.pairs.push_back({&slice, match});
  }
  for (const FoundSlice& slice : system.slices) {
    if (used.count(&slice) != 0) continue;
    if (absent != Absent::ignore) {
      return error(ErrorId::E_TRUTH, "no truth for a slice", shown(slice.study, slice.name))
          .hint("Annotate it, leave it out, or evaluate only what both have: --absent ignore.");
    }
    ++pairing.left_out_found;
  }
  if (pairing.pairs.empty()) {
    return error(ErrorId::E_TRUTH, "truth and results have no slice in common")
        .hint("Slices are matched by file name; see docs/evaluation.md.");
  }
  return pairing;
}

}  // namespace spinert::evaluation
