// nifti_mask.h - the boxes of an examination's vertebrae as a NIfTI-1 volume of labels, for research: mask.nii.gz.
//
// Voxels [slice][row][column] of int16 on the grid of the slices that were looked at: 0, or the id of the track whose
// box the centre of the pixel lies in; where boxes overlap, the one whose centre is nearer. Boxes, no outlines of
// bodies. A slice that was not looked at or failed is empty. sform in RAS millimetres; the same bytes in every run.
// Errors: E_USAGE (pictures say no place), E_INTERNAL (slices that lie in no regular stack, which readers let pass in
// no case), those of `put`.
#pragma once

#include "diagnosis/report/parts.h"
#include "diagnosis/result.h"

namespace spinert {

inline constexpr const char* kMaskName = "mask.nii.gz";

// Asked in front of a run, when the examination is known and no slice is.
Status check_mask(const Examination& examination);

Status write_nifti_mask(const StudyResult& study, const Put& put);

}  // namespace spinert
