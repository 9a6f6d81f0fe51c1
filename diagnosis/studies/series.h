// series.h - from DICOM files to series: which files belong together, in which order they lie, whether one is missing.
//
// Order and distances come from ImagePositionPatient along the normal of the slices and from nothing else. Nothing is
// dropped in silence: what cannot be placed, lies twice, or leaves a gap is an error that says where, in millimetres.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/studies/dicom_file.h"
#include "diagnosis/studies/volume.h"
#include "kernels/base/status.h"

namespace spinert {

enum class Orientation : unsigned char { sagittal, coronal, axial };
const char* orientation_name(Orientation orientation);

// The anatomical plane whose normal is nearest to `normal`; the axis of the largest component.
Orientation orientation_of(const Vec3& normal);

// Files of one SeriesInstanceUID, one orientation and one matrix, in the order in which they were given.
struct Series {
  std::string uid, description;
  Orientation orientation = Orientation::axial;
  std::vector<size_t> files;  // indices into the facts
  Status problem;             // why none of it can be used (E_MODALITY, E_GEOM_MISSING, ...); OK otherwise
};

// Splits files into series. A localizer (ImageType) is a series with its problem set.
std::vector<Series> split_series(std::span<const DicomFacts> files);

// Which series a study stands for: a native sagittal one before a reformatted axial or coronal one, the only one
// without a problem, else the one that has more slices; two that are alike are refused with a list, E_SERIES.
// `uid`: the one that the user names. `why`: the rule that decided, for the report.
struct SeriesChoice {
  size_t index = 0;
  std::string why;
};
Result<SeriesChoice> choose_series(std::span<const Series> series, std::span<const DicomFacts> files,
                                   const std::string& uid = {});

// A series whose slices lie in order. For one slice slice_step is zero.
struct SeriesGeometry {
  Grid grid;
  std::vector<size_t> order;       // files from the first slice to the last; duplicates left out
  std::vector<size_t> duplicates;  // files at the place of another one; the caller compares their pixels
  std::vector<int> gaps;           // indices into `order` of the slice before each gap that was allowed
  double tilt_degrees = 0;         // between the normal of the slices and the direction of the stack
};

// Errors: E_GEOM_MISSING (no position, orientation or spacing; vectors that are no unit vectors at right angles),
// E_GEOM_GAP (position in mm and how many slices are missing; also more than allow_gaps, and distances that fit no
// multiple of the spacing), E_GEOM_MIXED (frames of reference).
Result<SeriesGeometry> arrange_series(std::span<const DicomFacts> files, std::span<const size_t> members,
                                      int allow_gaps = 0);

// Stored values to Hounsfield units: v * slope + intercept, rounded half to even; padding becomes kAirHu. Errors:
// E_DICOM_VALUE (slope missing, zero, not finite), E_RANGE (result outside 16 bits).
Result<HuSlice> to_hounsfield(const DicomFile& file);

}  // namespace spinert
