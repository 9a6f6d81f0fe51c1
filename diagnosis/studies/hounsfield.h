// hounsfield.h - from stored values to Hounsfield units, and whether what came out can be Hounsfield units at all.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "diagnosis/studies/dicom_file.h"
#include "diagnosis/studies/volume.h"
#include "kernels/base/status.h"

namespace spinert {

// Rounds half to even. False, and nothing useful in `out`, if a value is not finite or its whole number does not fit
// into 16 bits.
bool round_to_int16(const double* values, size_t count, int16_t* out);

// Stored values to Hounsfield units: v * slope + intercept, rounded half to even; padding becomes kAirHu. MONOCHROME1
// changes nothing: it says how values are displayed, not what they mean. Errors: E_DICOM_VALUE (slope or intercept
// missing where assumes_hu() is false, slope not above zero, not finite; stored values outside their bits), E_RANGE
// (result outside 16 bits), and those of check_usable() and plane_of().
Result<HuSlice> to_hounsfield(const DicomFile& file);

// The file has no RescaleSlope, and its values are signed and of 16 bits: they are taken with a slope of 1 and, without
// RescaleIntercept, as Hounsfield units. What is no CT is refused before that is asked.
bool assumes_hu(const DicomFacts& facts);

// E_GEOM_DUPLICATE unless the two files, which lie at the same place, show the same.
Status check_duplicate(const DicomFile& kept, const DicomFile& other);

// Smallest and largest value of a whole series or volume, gathered piece by piece.
struct HuRange {
  int lowest = INT16_MAX, highest = INT16_MIN;

  void add(std::span<const int16_t> hu);
  void add(const HuRange& other) {
    lowest = std::min(lowest, other.lowest);
    highest = std::max(highest, other.highest);
  }
};

// E_RANGE if no scanner gives such values in Hounsfield units: all far below air, or none below water although they
// differ (a window burnt in, an intercept left out). One value everywhere is a blank picture and passes: what holds no
// vertebra ends as indeterminate.
Status check_plausible_hu(const HuRange& range, const std::string& where);

}  // namespace spinert
