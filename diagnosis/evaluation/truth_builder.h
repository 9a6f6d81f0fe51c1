// truth_builder.h - the checks that both forms of truth share; files under evaluation/ that read truth include it.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "diagnosis/evaluation/truth.h"

namespace spinert::evaluation {

class TruthBuilder {
 public:
  explicit TruthBuilder(const std::vector<std::string>& class_names) { truth_.class_names = class_names; }

  // width, height: 0 if they are not known. A folder in front of the name is the study if none is given. Returns the
  // place of the slice; `record` is what messages call it.
  Result<size_t> add_slice(const std::string& file_name, std::string study, int64_t width, int64_t height,
                           const std::string& record);
  // box: x, y, width, height.
  Status add_vertebra(size_t slice, const std::string& id, const std::string& vertebra, const double (&box)[4],
                      const std::vector<std::string>& labels, const std::string& record);
  TruthSlice& slice(size_t index) { return truth_.slices[index]; }
  // At least one slice must be there.
  Result<Truth> finish(const std::string& where);

 private:
  Result<LabelSet> label_set(const std::vector<std::string>& labels, const std::string& record) const;

  Truth truth_;
  std::set<std::pair<std::string, std::string>> slices_;  // study, name
  std::unordered_set<std::string> ids_;
  std::vector<std::unordered_set<std::string>> vertebrae_;  // names on each slice
};

}  // namespace spinert::evaluation
