// reduced_model.h - a whole model in small (128 x 128 canvas, few channels, about 100 KB): the flow of the demo model
// with random weights. Tests that need many runs (threads x batch x repeats, sanitizers) use it; its findings mean
// nothing.
#pragma once

#include <string>

#include "diagnosis/images/picture.h"
#include "kernels/base/status.h"

namespace spinert::reduced {

inline constexpr int kCanvas = 128;

// pipeline.json of the reduced architectures, with a score threshold so low that random weights find something.
std::string config_text();
// The same with another canvas and, if not empty, a section "place".
std::string config_text(int canvas, const std::string& place);

// The same for another reduced detector, by its architecture's name.
std::string config_text(const std::string& detector);

// A seed whose random weights find many boxes with scores on both sides of the threshold.
inline constexpr uint64_t kSeed = 25;
// The same for the detectors on one map.
inline constexpr uint64_t kOneMapSeed = 28;

// Makes checkpoints from the counter-based generator in `folder`, converts them and returns the model's path.
Result<std::string> make(const std::string& folder, uint64_t seed = kSeed, const std::string& config = config_text());

// A grey picture with a column of bright blocks and noise.
Picture picture(int height, int width, uint64_t seed);

}  // namespace spinert::reduced
