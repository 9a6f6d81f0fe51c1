// section.h - a plane cut out of a volume, and bilinear sampling of it. Inside of reformat.cpp and sample.cpp.
#pragma once

#include <cstdint>
#include <vector>

namespace spinert {

// Values that no file gave are not numbers (NaN); a pixel that needs one becomes kAirHu.
struct Section {
  int columns = 0, rows = 0;
  std::vector<float> values;  // [rows][columns]
};

// Position in voxels of pixel (x, y) on one axis: start + x * per_column + y * per_row.
struct Affine {
  double start = 0, per_column = 0, per_row = 0;
  double at(int x, int y) const { return start + x * per_column + y * per_row; }
};

// One axis of linear interpolation: value[low] * (1 - weight) + value[high] * weight.
struct Tap {
  int low = -1, high = -1;  // -1: outside
  double weight = 0;        // of high; high == low where it is 0
};

// Positions are computed from millimetres; so far outside the outermost centres they are taken for these.
inline constexpr double kEdgeTolerance = 1e-6;
// A change of position over a whole picture below this many voxels is rounding.
inline constexpr double kNoChange = 1e-9;

Tap tap_of(double position, int extent);

// [rows][columns] values; `across` gives the column of the section, `down` its row.
std::vector<int16_t> sample_section(const Section& section, int columns, int rows, const Affine& across,
                                    const Affine& down);

}  // namespace spinert
