// dicom_volume.h - the voxels of a DICOM series, read by several workers.
#pragma once

#include <span>

#include "diagnosis/studies/dicom_readers.h"
#include "diagnosis/studies/series.h"
#include "diagnosis/studies/volume.h"

namespace spinert {

// Every slice of an arranged series in its place; slices at one place must show the same. Refuses volumes of more than
// half of the memory that this process may use, E_OOM_HOST with both figures. Errors also: those of the worker, of
// to_hounsfield(), check_duplicate() and check_plausible_hu().
Result<Volume> read_dicom_volume(std::span<const DicomFacts> study, const SeriesGeometry& geometry,
                                 DicomReaders& readers, const RunControl& control);

// The second part of that alone, for series whose slices are read one by one.
Status check_duplicates(std::span<const DicomFacts> study, const SeriesGeometry& geometry, DicomReaders& readers,
                        const RunControl& control);

}  // namespace spinert
