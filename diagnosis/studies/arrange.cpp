// arrange.cpp - slices in their order along the normal: an even stack, or an error that says where it is not.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>

#include "diagnosis/studies/series.h"

namespace spinert {
namespace {

bool is_finite(const Vec3& v) {
  return std::isfinite(v.x) && std::isfinite(v.y) && std::isfinite(v.z);
}

std::string mm(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3f mm", value);
  return text;
}

Status missing(const DicomFacts& facts, std::string what) {
  return error(ErrorId::E_GEOM_MISSING, std::move(what), facts.path);
}

Status check_spacing(const DicomFacts& facts, double spacing) {
  if (spacing >= kMinSpacingMm && spacing <= kMaxSpacingMm) return {};  // not a number fails here
  return missing(facts, "PixelSpacing cannot be").expected(mm(kMinSpacingMm) + " to " + mm(kMaxSpacingMm), mm(spacing));
}

// The normal of which the largest component is positive: slices are ordered from right to left, front to back or feet
// to head, and millimetres in messages are nearly the patient's coordinate.
Vec3 towards_patient_axes(const Vec3& normal) {
  const Orientation orientation = orientation_of(normal);
  const double main = orientation == Orientation::sagittal  ? normal.x
                      : orientation == Orientation::coronal ? normal.y
                                                            : normal.z;
  return main < 0 ? -1 * unit(normal) : unit(normal);
}

// A slice on its way into the stack.
struct Placed {
  size_t file;
  Vec3 position;
  double along;    // mm on the normal
  int64_t number;  // of the slice in the stack, missing ones counted
};

// The distance of slices: mean of the distances that are near the median one, so that neither gaps nor positions
// rounded to a tenth of a millimetre spoil it.
double typical_distance(const std::vector<Placed>& slices) {
  std::vector<double> distances;
  for (size_t i = 1; i < slices.size(); ++i) distances.push_back(slices[i].along - slices[i - 1].along);
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>((distances.size() - 1) / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  const double median = *middle;
  double sum = 0, count = 0;
  for (const double distance : distances) {
    if (distance > 0.5 * median && distance < 1.5 * median) {
      sum += distance;
      ++count;
    }
  }
  return sum / count;
}

Status uneven(const DicomFacts& facts, double along, double distance, double step) {
  return error(ErrorId::E_GEOM_GAP, "slices do not lie at even distances, at " + mm(along) + " along the normal",
               facts.path)
      .expected("a multiple of " + mm(step), mm(distance));
}

// All members share the frame, orientation, spacing and matrix of the first.
Status check_alike(std::span<const DicomFacts> files, std::span<const size_t> members) {
  const DicomFacts& first = files[members.front()];
  for (const size_t member : members) {
    const DicomFacts& facts = files[member];
    const auto mixed = [&](std::string what) { return error(ErrorId::E_GEOM_MIXED, std::move(what), facts.path); };
    if (facts.frame_of_reference != first.frame_of_reference) {
      return mixed("slices of several frames of reference")
          .expected(first.frame_of_reference.empty() ? "none" : first.frame_of_reference,
                    facts.frame_of_reference.empty() ? "none" : facts.frame_of_reference);
    }
    if (facts.columns != first.columns || facts.rows != first.rows) return mixed("slices of different sizes");
    if (!same_direction(*facts.row_direction, *first.row_direction) ||
        !same_direction(*facts.column_direction, *first.column_direction)) {
      return mixed("slices of different orientations");
    }
    if (std::abs(*facts.row_spacing - *first.row_spacing) > kSpacingToleranceMm ||
        std::abs(*facts.column_spacing - *first.column_spacing) > kSpacingToleranceMm) {
      return mixed("slices of different pixel spacings").expected(mm(*first.row_spacing), mm(*facts.row_spacing));
    }
  }
  return {};
}

// Numbers the slices and lists what is missing between them. `step`: their typical distance.
Status number_slices(std::span<const DicomFacts> files, std::vector<Placed>& slices, double step, int allow_gaps,
                     std::vector<int>& gaps) {
  int64_t absent = 0;
  std::string places;  // of all gaps, for the error
  size_t listed = 0, first_gap = 0;
  for (size_t i = 1; i < slices.size(); ++i) {
    const double distance = slices[i].along - slices[i - 1].along;
    // Positions are bounded, so that this fits.
    const auto steps = static_cast<int64_t>(std::llround(distance / step));
    if (steps < 1 || std::abs(distance - static_cast<double>(steps) * step) > kOffGridFraction * step) {
      return uneven(files[slices[i].file], slices[i].along, distance, step);
    }
    slices[i].number = slices[i - 1].number + steps;
    if (steps == 1) continue;
    if (!first_gap) first_gap = i;
    absent += steps - 1;
    if (absent <= allow_gaps) {
      for (int64_t n = slices[i - 1].number + 1; n < slices[i].number; ++n) gaps.push_back(static_cast<int>(n));
    }
    if (++listed <= 5) {
      places += (listed > 1 ? ", " : "") + std::to_string(steps - 1) + " between " + mm(slices[i - 1].along) + " and " +
                mm(slices[i].along);
    } else if (listed == 6) {
      places += ", ...";
    }
  }
  if (absent <= allow_gaps) return {};
  return error(ErrorId::E_GEOM_GAP,
               std::to_string(absent) + (absent == 1 ? " slice is" : " slices are") +
                   " missing along the normal: " + places,
               "before " + files[slices[first_gap].file].path)
      .expected("slices at distances of " + mm(step) +
                    (allow_gaps > 0 ? ", at most " + std::to_string(allow_gaps) + " missing" : ""),
                mm(slices[first_gap].along - slices[first_gap - 1].along))
      .hint("Give the whole series, or allow so many gaps on purpose.");
}

}  // namespace

Status check_orientation(const DicomFacts& facts) {
  if (!facts.row_direction || !facts.column_direction) return missing(facts, "ImageOrientationPatient is missing");
  const Vec3 &row = *facts.row_direction, &column = *facts.column_direction;
  if (!is_finite(row) || !is_finite(column) || !(std::abs(length(row) - 1) <= kDirectionTolerance) ||
      !(std::abs(length(column) - 1) <= kDirectionTolerance) || !(std::abs(dot(row, column)) <= kDirectionTolerance)) {
    return missing(facts, "ImageOrientationPatient is no pair of unit vectors at right angles")
        .expected("lengths 1 and 1, product 0", std::to_string(length(row)) + " and " + std::to_string(length(column)) +
                                                    ", " + std::to_string(dot(row, column)));
  }
  return {};
}

Result<Plane> plane_of(const DicomFacts& facts) {
  if (!facts.position) return missing(facts, "ImagePositionPatient is missing");
  SPINERT_TRY(check_orientation(facts));
  if (!facts.row_spacing || !facts.column_spacing) return missing(facts, "PixelSpacing is missing");
  if (facts.columns < 1 || facts.rows < 1) return missing(facts, "a picture without pixels");
  SPINERT_TRY(check_spacing(facts, *facts.row_spacing));
  SPINERT_TRY(check_spacing(facts, *facts.column_spacing));
  const Vec3& position = *facts.position;
  for (const double coordinate : {position.x, position.y, position.z}) {
    if (!(std::abs(coordinate) <= kMaxPositionMm)) {
      return missing(facts, "ImagePositionPatient cannot be").expected("within " + mm(kMaxPositionMm), mm(coordinate));
    }
  }
  return Plane{facts.columns, facts.rows, position, *facts.column_spacing * *facts.row_direction,
               *facts.row_spacing * *facts.column_direction};
}

Result<SeriesGeometry> arrange_series(std::span<const DicomFacts> files, std::span<const size_t> members,
                                      int allow_gaps) {
  if (members.empty()) return error(ErrorId::E_GEOM_MISSING, "a series without slices");
  std::vector<Placed> all;
  for (const size_t member : members) {
    SPINERT_ASSIGN(const Plane plane, plane_of(files[member]));
    all.push_back({member, plane.origin, 0, 0});
  }
  SPINERT_TRY(check_alike(files, members));
  const DicomFacts& first_given = files[members.front()];
  const Vec3 normal = towards_patient_axes(cross(*first_given.row_direction, *first_given.column_direction));
  for (Placed& slice : all) slice.along = dot(normal, slice.position);
  std::stable_sort(all.begin(), all.end(), [](const Placed& a, const Placed& b) { return a.along < b.along; });

  SeriesGeometry geometry;
  std::vector<Placed> slices;
  for (const Placed& slice : all) {
    if (!slices.empty() && slice.along - slices.back().along <= kSamePlaceMm) {
      if (length(slice.position - slices.back().position) > 2 * kSamePlaceMm) {
        return error(ErrorId::E_GEOM_MIXED, "two slices side by side at " + mm(slice.along) + " along the normal",
                     files[slice.file].path)
            .expected("one stack", mm(length(slice.position - slices.back().position)) + " apart");
      }
      geometry.duplicates.push_back({slice.file, slices.back().file});
    } else {
      slices.push_back(slice);
    }
  }

  const size_t count = slices.size();
  const Placed &first = slices.front(), &last = slices.back();
  Vec3 step;
  if (count > 1) {
    const double typical = typical_distance(slices);
    if (!(typical <= kMaxSpacingMm)) {
      return error(ErrorId::E_GEOM_GAP, "slices lie too far apart", files[first.file].path)
          .expected("at most " + mm(kMaxSpacingMm), mm(typical));
    }
    SPINERT_TRY(number_slices(files, slices, typical, allow_gaps, geometry.missing));
    step = (1 / static_cast<double>(last.number)) * (last.position - first.position);
    const double rise = dot(normal, step), allowed = std::min(kOffGridMm, kOffGridFraction * rise);
    const double lean = length(step - rise * normal);
    geometry.tilt_degrees = std::atan2(lean, rise) * 180 / std::numbers::pi;
    if (geometry.tilt_degrees > kMaxTiltDegrees) {
      return error(ErrorId::E_GEOM_TILT, "the stack leans too far", files[first.file].path)
          .expected("at most " + std::to_string(static_cast<int>(kMaxTiltDegrees)) + " degrees",
                    std::to_string(geometry.tilt_degrees));
    }
    for (size_t i = 1; i < count; ++i) {
      const Vec3 off = slices[i].position - (first.position + static_cast<double>(slices[i].number) * step);
      const double off_along = dot(normal, off);
      if (std::abs(off_along) > allowed) {
        return uneven(files[slices[i].file], slices[i].along, slices[i].along - slices[i - 1].along, rise);
      }
      if (length(off - off_along * normal) > kOffGridMm) {
        return error(ErrorId::E_GEOM_MIXED,
                     "a slice lies beside the line of the stack, at " + mm(slices[i].along) + " along the normal",
                     files[slices[i].file].path)
            .expected("within " + mm(kOffGridMm), mm(length(off - off_along * normal)));
      }
    }
  }

  SPINERT_ASSIGN(geometry.grid.plane, plane_of(files[first.file]));
  geometry.grid.slice_step = step;
  geometry.grid.slices = static_cast<int>(last.number) + 1;
  for (const Placed& slice : slices) {
    geometry.order.push_back(slice.file);
    geometry.place.push_back(static_cast<int>(slice.number));
  }
  return geometry;
}

}  // namespace spinert
