// preview.h - one picture per slice: the slice in grey, the boxes in the colour of their label, the labels in words,
// the status, and the research label. Nothing in it changes between two runs on the same input.
#pragma once

#include <cstdint>
#include <vector>

#include "diagnosis/result.h"

namespace spinert {

// PNG bytes. Uses class names, demo flag and model of the study, and slice.preview as the grey picture; without one, as
// for a failed slice, a plate that says FAILED and why. Errors: E_OOM_HOST, E_INTERNAL.
Result<std::vector<uint8_t>> preview_png(const StudyResult& study, const SliceResult& slice);

}  // namespace spinert
