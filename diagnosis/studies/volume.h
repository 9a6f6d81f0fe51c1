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

struct Volume {
  Grid grid;
  // Of each slice [rows][columns]; the same rule. Empty: a slice that no file gave (a series with gaps that were
  // allowed). Nothing is interpolated from it: what would need it is kAirHu.
  std::vector<std::vector<int16_t>> slices;

  bool has(int slice) const { return !slices[static_cast<size_t>(slice)].empty(); }
  const int16_t* row(int slice, int y) const {
    return slices[static_cast<size_t>(slice)].data() + static_cast<size_t>(y) * static_cast<size_t>(grid.plane.columns);
  }
};

// Where nothing was measured: padding of a scanner, and what lies outside the volume. Air, which the window makes
// black.
inline constexpr int16_t kAirHu = -1024;

}  // namespace spinert
