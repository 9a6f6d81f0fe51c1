#include "diagnosis/evaluation/records.h"

#include "config/pipeline_config.h"

namespace spinert::evaluation {

LabelSet disease_mask(const std::vector<std::string>& class_names) {
  LabelSet mask = 0;
  for (size_t c = 0; c < class_names.size(); ++c) {
    if (class_names[c] != kNormalClass) mask |= LabelSet{1} << c;
  }
  return mask;
}

size_t Truth::vertebrae() const {
  size_t count = 0;
  for (const TruthSlice& slice : slices) count += slice.vertebrae.size();
  return count;
}

}  // namespace spinert::evaluation
