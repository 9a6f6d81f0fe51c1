// calibrate.h - the ranges that int8 needs (runtime/calibration.h), taken from whole diagnoses in fp32: placement,
// proposals and patches are those of a real run.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "runtime/calibration.h"
#include "runtime/engine.h"

namespace spinert {

struct CalibrateOptions {
  std::string model;
  // The detector is not among them: it picks among boxes by their scores (graph/precision.h), and no part of it that is
  // worth computing in codes passes the gate (docs/PERFORMANCE.md). A graph left out stays f32.
  std::vector<std::string> graphs = {"classifier"};
  // Values whose names begin so stay f32: the first half of the classifier, whose rounding all later layers see.
  std::vector<std::string> keep = {"stem", "maxpool", "layer1.", "layer2."};
  int threads = 0;
  std::function<void(const std::string&)> progress;  // called before each picture; may be empty
};

// pictures: paths. Errors: those of opening the model and of a picture; E_NONFINITE for a value that is not finite,
// E_CONFIG if no picture shows a vertebra, because the classifier would have no range.
Result<Calibration> calibrate(const CalibrateOptions& options, std::span<const std::string> pictures,
                              const RunControl& control = {});

}  // namespace spinert
