// preview.h - one picture per slice: the slice in grey, the boxes in the colour of their label, the labels in words,
// the status, and the research label. Nothing in it changes between two runs on the same input.
#pragma once

#include <cstdint>
#include <vector>

#include "diagnosis/images/drawing.h"
#include "diagnosis/result.h"

namespace spinert {

// Uses class names, demo flag and model of the study, and slice.preview as the grey picture; without one, as for a
// failed slice, a plate that says FAILED and why.
RgbImage preview_image(const StudyResult& study, const SliceResult& slice);

// The same under lines that say status and alert of the study: for a picture that is seen without its report, where the
// status of one slice could be taken for that of the study.
RgbImage under_study_status(const StudyResult& study, const RgbImage& picture);

// The bytes of a PNG file, with the research label as its description. Errors: E_OOM_HOST, E_INTERNAL.
Result<std::vector<uint8_t>> preview_png(const RgbImage& image);

}  // namespace spinert
