// measure.h - plain measurements of a vertebral body on an upright sagittal picture: three heights and the mean
// Hounsfield value. They are geometry, no diagnosis: docs/tracks.md says how each is taken and how far it is from the
// truth on synthetic spines.
#pragma once

#include <optional>

#include "diagnosis/result.h"
#include "diagnosis/studies/track.h"
#include "diagnosis/studies/volume.h"

namespace spinert {

// `box` in pixels of the picture, as in a Vertebra; `along` the direction of the spine there, from head to foot, in
// pixels (any length; spine_direction). Nothing if an endplate cannot be told from what surrounds it, if the body
// reaches beyond what was measured (the picture's border, kAirHu), or if the spine leans by more than 60 degrees.
std::optional<BodyMeasures> measure_body(const HuSlice& picture, const Box& box, double along_x, double along_y);

}  // namespace spinert
