// golden_check.h - one slice of a golden file (tests/golden/README.md) against an opened pipeline: the end result, then
// every stage of both networks. Differences are failures of the test that calls it and name stage, position and both
// values.
#pragma once

#include <string>

#include "config/json.h"
#include "diagnosis/pipeline.h"

namespace spinert::golden {

// A text file, compressed or not.
std::string read_text(const std::string& path);
// The parsed file, or null after a failure.
nlohmann::json load(const std::string& path);

struct Worst {
  double score = 0, probability = 0;
  double detector = 0, classifier = 0;  // of a stage, over the stage's scale
};
// pictures: the folder that holds the slice's picture. classified: vertebrae in the classifier's stages.
void check_slice(Pipeline& pipeline, const std::string& pictures, const nlohmann::json& slice, size_t classified,
                 Worst& worst);

}  // namespace spinert::golden
