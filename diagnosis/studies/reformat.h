// reformat.h - sagittal pictures of a volume: which planes, and the pixels of each.
//
// The planes are those of the volume's own axis that runs most nearly from right to left, so that nothing is
// interpolated across it where a plane falls on voxel centres. In a plane, pixels are square, rows run from head to
// foot and columns from the front to the back of the patient, as near as the volume's axes allow; a gantry tilt is a
// shear within the plane and is undone by sampling where each pixel really lies. Interpolation is linear in three
// axes (scipy.ndimage.map_coordinates, order 1, on the same points); what lies outside the volume is kAirHu.
#pragma once

#include <span>
#include <vector>

#include "diagnosis/studies/volume.h"
#include "kernels/base/status.h"

namespace spinert {

struct ReformatRules {
  double mm_per_pixel = 0.5;
  double step_mm = 3;         // distance of neighbouring planes; the nearest whole number of voxels, at least one
  int every = 1;              // only each so many-th of these planes, counted from the one in the middle
  double half_width_mm = 50;  // planes up to so far from the midline on each side
  double max_slice_mm = 3;    // voxels longer than this within the planes are refused, E_GEOM_COARSE
};

struct ReformatPlan {
  std::vector<Plane> planes;        // from the patient's right to the left
  std::vector<double> position_mm;  // of each plane from the midline, growing to the left
  double midline_mm = 0;            // of the bone (see bone_midline) on the left-right axis
  double step_mm = 0;               // as used
};

// Left-right position (mm along the unit vector of the left-right axis) that halves the voxels of bone, 200 to 2000 HU;
// the middle of the volume if there is no bone.
double bone_midline(const Volume& volume);

// The first pixel of a plane is the voxel most in front and nearest to the head, and the last row and column are the
// last that lie within the volume: nothing is read beyond the centres of the outermost voxels. One plane falls on the
// voxel nearest to the midline.
// Errors: E_GEOM_COARSE (a single slice, too), E_GEOM_TILT (an axis of the plane that leans out of the sagittal plane
// by more than 0.5 degrees), E_IMAGE_SIZE (pictures larger than kMaxPictureSide), E_USAGE (rules that cannot be).
Result<ReformatPlan> plan_reformat(const Volume& volume, const ReformatRules& rules);

// Any plane. The axes of the volume must be independent. Safe from several threads.
HuSlice sample_plane(const Volume& volume, const Plane& plane);
// Several: quicker where they lie side by side as those of plan_reformat do. A column of voxels across the slices costs
// a line of the cache for each of them, and the next planes want the same lines.
std::vector<HuSlice> sample_planes(const Volume& volume, std::span<const Plane> planes);

// A native sagittal picture turned head up and face left (flips and transposition only, exact), then resampled to
// square pixels of mm_per_pixel by the same linear interpolation, from its first pixel on; 0: not resampled, but
// E_GEOM_MISSING if its pixels are not square. Errors also: E_GEOM_TILT (not a sagittal picture), E_IMAGE_SIZE.
Result<HuSlice> upright(const HuSlice& native, double mm_per_pixel);

}  // namespace spinert
