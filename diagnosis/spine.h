// spine.h - what the boxes of one slice say together: their order, whether they form a spine, which labels they carry,
// and so the status and alert of the slice (DESIGN section 2). Pure functions of boxes and probabilities.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/pipeline_config.h"
#include "diagnosis/result.h"

namespace spinert {

// Sorts from top to bottom (centre y, then centre x) and numbers the vertebrae from 1.
void order_and_number(std::vector<Vertebra>& vertebrae);

// Median height of the boxes; of an even number the mean of the two in the middle. 0 without boxes.
float median_height(std::span<const Vertebra> ordered);

// Centres of neighbours along the spine are 0.5 to 4 median heights apart. Fewer than two boxes form a chain.
bool forms_chain(std::span<const Vertebra> ordered);

// Numbers (first of the pair) of neighbours that are further apart than 1.8 median heights: one may be missing between.
std::vector<int> gaps(std::span<const Vertebra> ordered);

// Labels (p >= threshold, in float) and consistency from the probabilities.
void label(Vertebra& vertebra, const ClassifierConfig& classifier);

// Fills status, alert and reasons from ordered, labelled vertebrae. Reasons already there (cropped, warnings) stay; a
// slice whose status is not "completed" keeps it.
void judge(SliceResult& slice, const PipelineConfig& config);

}  // namespace spinert
