// hounsfield.cpp - rescaling row by row: a row of doubles is rounded at once.
#include "diagnosis/studies/hounsfield.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "diagnosis/studies/dicom_check.h"
#include "diagnosis/studies/series.h"

namespace spinert {
namespace {

// The next whole number of a double is what is left of its sum with this, in the default rounding mode; unlike
// std::nearbyint it is one addition and one subtraction, which the compiler does for several values at once.
constexpr double kRoundingShift = 6755399441055744.0;  // 1.5 * 2^52

constexpr int16_t kLowestMeasuredHu = -2000;  // below: fillings of scanners, no measurement

struct StoredRange {
  int64_t lowest, highest;
  bool has(int64_t value) const { return lowest <= value && value <= highest; }
};

StoredRange stored_range(const DicomFacts& facts) {
  const int64_t count = int64_t{1} << facts.bits_stored;
  if (facts.is_signed) return {-count / 2, count / 2 - 1};
  return {0, count - 1};
}

Status value_error(const DicomFacts& facts, std::string what) {
  return error(ErrorId::E_DICOM_VALUE, std::move(what), facts.path);
}

Status check_facts(const DicomFacts& facts, size_t stored) {
  if (Status status = check_usable(facts); !status.ok()) return status.at(facts.path);
  const bool known = facts.rescale_slope ? facts.rescale_intercept.has_value() : assumes_hu(facts);
  if (!known) {
    return value_error(facts, "RescaleSlope or RescaleIntercept is missing, so Hounsfield units are not known");
  }
  const double slope = facts.rescale_slope.value_or(1), intercept = facts.rescale_intercept.value_or(0);
  if (!std::isfinite(slope) || !(slope > 0) || !std::isfinite(intercept)) {
    return value_error(facts, "RescaleSlope or RescaleIntercept cannot be")
        .expected("a slope above 0, both finite", std::to_string(slope) + ", " + std::to_string(intercept));
  }
  if (stored != static_cast<size_t>(facts.columns) * static_cast<size_t>(facts.rows)) {
    return error(ErrorId::E_DICOM_DIM, "number of pixels", facts.path)
        .expected(std::to_string(facts.columns) + " x " + std::to_string(facts.rows), std::to_string(stored));
  }
  return {};
}

// Padding as stored values. The attribute may be written with the wrong sign (63536 for -2000 in 16 bits, seen in
// practice); a value that no pixel can have pads nothing.
std::optional<int64_t> padding_as_stored(int64_t value, const DicomFacts& facts, const StoredRange& range) {
  if (range.has(value)) return value;
  const int64_t turn = int64_t{1} << facts.bits_allocated;
  for (const int64_t other : {value - turn, value + turn}) {
    if (range.has(other)) return other;
  }
  return std::nullopt;
}

// Nothing is padding: an empty range.
StoredRange padding_range(const DicomFacts& facts, const StoredRange& range) {
  if (!facts.padding_value) return {1, 0};
  const auto value = padding_as_stored(*facts.padding_value, facts, range);
  if (!value) return {1, 0};
  const auto limit = facts.padding_limit ? padding_as_stored(*facts.padding_limit, facts, range) : value;
  if (!limit) return {*value, *value};
  return {std::min(*value, *limit), std::max(*value, *limit)};
}

// Nearly every CT: a slope of 1 and a whole intercept. One pass without a branch; false if a value does not fit, for
// whatever reason, or the numbers are not of this kind.
bool shift_whole_numbers(std::span<const int32_t> stored, const StoredRange& range, const StoredRange& padding,
                         double slope, double intercept, int16_t* hu) {
  constexpr int64_t kMost = 65536;
  if (slope != 1 || intercept != std::rint(intercept) || std::abs(intercept) > kMost || range.lowest < -kMost ||
      range.highest > kMost) {
    return false;
  }
  const auto shift = static_cast<int32_t>(intercept);
  const auto low = static_cast<int32_t>(range.lowest), high = static_cast<int32_t>(range.highest);
  const bool pads = padding.lowest <= padding.highest;  // then by values that can be stored
  const auto first = static_cast<int32_t>(pads ? padding.lowest : 1);
  const auto last = static_cast<int32_t>(pads ? padding.highest : 0);
  int outside = 0;
  for (size_t i = 0; i < stored.size(); ++i) {
    const int32_t value = stored[i];
    const auto sum = static_cast<int32_t>(static_cast<uint32_t>(value) + static_cast<uint32_t>(shift));  // may wrap
    const bool is_padding = (first <= value) & (value <= last);
    outside |= (value < low) | (value > high) | ((sum != static_cast<int16_t>(sum)) & !is_padding);
    hu[i] = static_cast<int16_t>(is_padding ? kAirHu : sum);
  }
  return outside == 0;
}

}  // namespace

bool round_to_int16(const double* values, size_t count, int16_t* out) {
  // -32768.5 rounds to the even -32768, 32767.5 would round to 32768. Not a number compares false.
  int outside = 0;
  for (size_t i = 0; i < count; ++i) outside |= !(values[i] >= -32768.5 && values[i] < 32767.5);
  if (outside) return false;
  for (size_t i = 0; i < count; ++i) {
    out[i] = static_cast<int16_t>(static_cast<int32_t>((values[i] + kRoundingShift) - kRoundingShift));
  }
  return true;
}

Result<HuSlice> to_hounsfield(const DicomFile& file) {
  const DicomFacts& facts = file.facts;
  SPINERT_TRY(check_facts(facts, file.stored.size()));
  SPINERT_ASSIGN(const Plane plane, plane_of(facts));
  const StoredRange range = stored_range(facts), padding = padding_range(facts, range);
  const double slope = facts.rescale_slope.value_or(1), intercept = facts.rescale_intercept.value_or(0);
  HuSlice slice{plane, {}};
  slice.hu.resize(file.stored.size());
  if (shift_whole_numbers(file.stored, range, padding, slope, intercept, slice.hu.data())) return slice;

  int32_t lowest = INT32_MAX, highest = INT32_MIN;
  for (const int32_t value : file.stored) {
    lowest = std::min(lowest, value);
    highest = std::max(highest, value);
  }
  if (!range.has(lowest) || !range.has(highest)) {
    return value_error(facts, "stored values outside their bits")
        .expected(std::to_string(range.lowest) + " to " + std::to_string(range.highest),
                  std::to_string(lowest) + " to " + std::to_string(highest));
  }

  const auto first_padding = static_cast<int32_t>(std::min<int64_t>(padding.lowest, INT32_MAX));
  const auto last_padding = static_cast<int32_t>(std::min<int64_t>(padding.highest, INT32_MAX));
  std::vector<double> row(static_cast<size_t>(facts.columns));
  for (size_t begin = 0; begin < file.stored.size(); begin += row.size()) {
    const int32_t* stored = file.stored.data() + begin;
    for (size_t x = 0; x < row.size(); ++x) {
      row[x] = first_padding <= stored[x] && stored[x] <= last_padding
                   ? kAirHu
                   : static_cast<double>(stored[x]) * slope + intercept;
    }
    if (!round_to_int16(row.data(), row.size(), slice.hu.data() + begin)) {
      const auto [low, high] = std::minmax_element(row.begin(), row.end());
      return error(ErrorId::E_RANGE, "no Hounsfield units, row " + std::to_string(begin / row.size()), facts.path)
          .expected("-32768 to 32767", std::to_string(*low) + " to " + std::to_string(*high))
          .hint("Check RescaleSlope, RescaleIntercept and PixelRepresentation.");
    }
  }
  return slice;
}

bool assumes_hu(const DicomFacts& facts) {
  return !facts.rescale_slope && facts.is_signed && facts.bits_allocated == 16;
}

Status check_duplicate(const DicomFile& kept, const DicomFile& other) {
  const bool same = kept.stored == other.stored && kept.facts.rescale_slope == other.facts.rescale_slope &&
                    kept.facts.rescale_intercept == other.facts.rescale_intercept;
  if (same) return {};
  return error(ErrorId::E_GEOM_DUPLICATE, "two files lie at the same place and show different pixels",
               kept.facts.path + " and " + other.facts.path)
      .hint("Give one series alone, for example one phase of the examination.");
}

void HuRange::add(std::span<const int16_t> hu) {
  int16_t low = INT16_MAX, high = INT16_MIN;
  for (const int16_t value : hu) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  lowest = std::min<int>(lowest, low);
  highest = std::max<int>(highest, high);
}

Status check_plausible_hu(const HuRange& range, const std::string& where) {
  const std::string got = std::to_string(range.lowest) + " to " + std::to_string(range.highest);
  if (range.highest < kLowestMeasuredHu) {
    return error(ErrorId::E_RANGE, "not Hounsfield units: every value lies far below air", where)
        .expected("-1000 for air, 0 for water", got)
        .hint("Check RescaleSlope, RescaleIntercept and PixelRepresentation, or scl_slope and scl_inter.");
  }
  if (range.lowest >= 0 && range.lowest < range.highest) {
    return error(ErrorId::E_RANGE, "not Hounsfield units: no value lies below water", where)
        .expected("-1000 for air, 0 for water", got)
        .hint("Give the original values; a picture with its window burnt in can be given as PNG.");
  }
  return {};
}

}  // namespace spinert
