// series.h - from DICOM files to series: which files belong together, in which order they lie, whether one is missing.
//
// Order and distances come from ImagePositionPatient along the normal of the slices and from nothing else. Nothing is
// dropped in silence: what cannot be placed, lies twice, or leaves a gap is an error that says where, in millimetres.
// The tolerances below are those of numbers that scanners round (docs/studies.md says why each is what it is).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "diagnosis/studies/dicom_file.h"
#include "diagnosis/studies/volume.h"
#include "kernels/base/status.h"

namespace spinert {

// Cosines: length and right angle may be off by this, and two slices whose cosines differ by more lie differently.
// Three written decimals are off by 0.0005 in each number, so by 0.0009 in length and by 0.0017 in the angle.
inline constexpr double kDirectionTolerance = 2e-3;
inline constexpr double kSamePlaceMm = 0.01;      // two positions nearer than this are one
inline constexpr double kOffGridMm = 0.11;        // a slice may lie so far from its place in an even stack,
inline constexpr double kOffGridFraction = 0.33;  // but no further than this part of the distance of slices
inline constexpr double kSpacingToleranceMm = 1e-4;
inline constexpr double kMinSpacingMm = 0.01, kMaxSpacingMm = 50;  // of pixels and of slices
inline constexpr double kMaxPositionMm = 1e5;
inline constexpr double kMaxTiltDegrees = 45;

enum class Orientation : unsigned char { sagittal, coronal, axial };
const char* orientation_name(Orientation orientation);

// The anatomical plane whose normal is nearest to `normal`; the axis of the largest component.
Orientation orientation_of(const Vec3& normal);

// Whether two cosines are one, as far as scanners write them (kDirectionTolerance in each component).
bool same_direction(const Vec3& a, const Vec3& b);

// Files of one SeriesInstanceUID, one orientation and one matrix, in the order in which they were given.
struct Series {
  std::string uid, description;
  Orientation orientation = Orientation::axial;
  std::vector<size_t> files;  // indices into the facts
  Status problem;             // why none of it can be used (E_MODALITY, E_GEOM_MISSING, ...); OK otherwise
};

// Splits files into series, in the order of their first files. A localizer (ImageType) and whatever is no CT picture
// are series with their problem set. A file without an orientation stays with its series, and the series has the
// problem: it is never left out.
std::vector<Series> split_series(std::span<const DicomFacts> files);

// Which series a study stands for: a native sagittal one before a reformatted axial or coronal one, the only one
// without a problem, else the one that has more slices; two that are alike are refused with a list, E_SERIES, and so
// are series of different studies. If every series has a problem, that of the largest.
// `uid`: the one that the user names. `why`: the rule that decided, for the report.
struct SeriesChoice {
  size_t index = 0;
  std::string why;
};
Result<SeriesChoice> choose_series(std::span<const Series> series, std::span<const DicomFacts> files,
                                   const std::string& uid = {});

// A file at the place of another one.
struct Duplicate {
  size_t file = 0, of = 0;
};

// A series whose slices lie in order: from right to left, front to back or feet to head. For one slice slice_step is
// zero.
struct SeriesGeometry {
  Grid grid;                          // grid.slices counts the missing ones too
  std::vector<size_t> order;          // files from the first slice to the last; duplicates left out
  std::vector<int> place;             // the slice of the grid that each file of `order` is
  std::vector<Duplicate> duplicates;  // the caller compares their pixels: check_duplicate()
  std::vector<int> missing;           // slices of the grid that no file gives, if allowed; empty in a Volume
  double tilt_degrees = 0;            // between the normal of the slices and the direction of the stack
};

// E_GEOM_MISSING unless the orientation is there as two unit vectors at right angles.
Status check_orientation(const DicomFacts& facts);

// Where the pixels of a file lie. Cosines are used as they are written. Errors: E_GEOM_MISSING (no position,
// orientation or spacing; vectors that are no unit vectors at right angles; numbers outside the limits above).
Result<Plane> plane_of(const DicomFacts& facts);

// allow_gaps: how many slices may be missing in all. Errors: those of plane_of; E_GEOM_GAP (position in mm and how many
// slices are missing; more than allow_gaps; distances that fit no multiple of the spacing), E_GEOM_MIXED (frames of
// reference, orientations, pixel spacings, or places beside the line of the stack), E_GEOM_TILT (over kMaxTiltDegrees).
Result<SeriesGeometry> arrange_series(std::span<const DicomFacts> files, std::span<const size_t> members,
                                      int allow_gaps = 0);

}  // namespace spinert
