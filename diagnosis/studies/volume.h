// volume.h - the voxels of an examination in Hounsfield units on a grid in the patient.
#pragma once

#include <cstdint>
#include <vector>

#include "diagnosis/studies/patient_space.h"

namespace spinert {

// One picture of a series: [rows][columns] values in Hounsfield units, rounded half to even. A reader refuses what does
// not fit in 16 bits instead of clamping it.
struct HuSlice {
  Plane plane;
  std::vector<int16_t> hu;
};

// [slices][rows][columns]; the same rule.
struct Volume {
  Grid grid;
  std::vector<int16_t> hu;
  // Slices that no file gave, ascending (a series with gaps that were allowed). Nothing is interpolated from them: what
  // would need them is kAirHu. Their values in `hu` do not matter.
  std::vector<int> missing;

  const int16_t* row(int slice, int y) const {
    const Plane& plane = grid.plane;
    return hu.data() + (static_cast<size_t>(slice) * static_cast<size_t>(plane.rows) + static_cast<size_t>(y)) *
                           static_cast<size_t>(plane.columns);
  }
};

// Where nothing was measured: padding of a scanner, and what lies outside the volume. Air, which the window makes
// black.
inline constexpr int16_t kAirHu = -1024;

}  // namespace spinert
