// fasterrcnn.h - what all detectors share: torchvision's FasterRCNN around a backbone, from the placed grey canvas to
// boxes with scores and classes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "converter/network_builder.h"

namespace spinert {

// Feature maps of a backbone, finest first. With a single map there is no choice of level and anchors of all sizes lie
// in each of its cells, ratio-major.
struct DetectorMaps {
  std::vector<int> proposals;  // for the region proposal network, one per row of detector.anchors.sizes
  std::vector<int> regions;    // for RoIAlign
  int64_t channels;            // of each map
  int64_t finest_stride;       // pixels of the canvas per pixel of the first map, a power of two
};

struct FasterRcnnSpec {
  size_t levels;   // maps of the region proposal network
  int64_t hidden;  // units of fc6 and fc7
};

// Appends everything: normalisation, backbone, proposals, box head. Both naming generations of the region head are
// read. Errors: E_CONFIG if the anchors of the config do not fit the levels or the checkpoint.
Status build_fasterrcnn(NetworkBuilder& builder, const PipelineConfig& config, const FasterRcnnSpec& spec,
                        const std::function<DetectorMaps(int image)>& backbone);

// "name.i".
std::string numbered(const std::string& name, int i);

}  // namespace spinert
