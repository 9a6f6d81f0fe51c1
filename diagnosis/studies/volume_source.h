// volume_source.h - the sagittal slices of an examination: reformatted from a volume, or the files of a native sagittal
// series one by one.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "diagnosis/slice_source.h"
#include "diagnosis/studies/dicom_readers.h"
#include "diagnosis/studies/reformat.h"
#include "diagnosis/studies/volume.h"

namespace spinert {

// Fills examination.reformat. `files`: that the volume was read from, if they are DICOM files. Errors: those of
// plan_reformat().
Result<std::unique_ptr<SliceSource>> reformat_source(Volume volume, const ReformatRules& rules, Examination examination,
                                                     std::vector<DicomFacts> files = {});

// `files`: of one sagittal series, in order. mm_per_pixel: what the slices are resampled to; 0: as they are.
std::unique_ptr<SliceSource> native_source(std::vector<DicomFacts> files, double mm_per_pixel, Examination examination,
                                           DicomReaders& readers);

}  // namespace spinert
