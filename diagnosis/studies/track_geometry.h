// track_geometry.h - boxes of slices in the millimetres that tracks are compared in. Internal to tracks.cpp and
// study_judgement.cpp.
#pragma once

#include <algorithm>
#include <vector>

#include "diagnosis/evaluation/records.h"
#include "diagnosis/studies/tracks.h"

namespace spinert {

using RectMm = evaluation::Rect;

// The common directions of a study: to the back and to the feet.
struct StudyAxes {
  Vec3 back{0, 1, 0}, down{0, 0, -1};

  static StudyAxes of(std::span<const TrackSlice> slices) {
    if (slices.empty()) return {};
    return {unit(slices[0].plane.column_step), unit(slices[0].plane.row_step)};
  }
  double x(const Vec3& point) const { return dot(back, point); }
  double y(const Vec3& point) const { return dot(down, point); }
};

// A place in pixels, edges counted as in a Box: the middle of the first pixel is at 0.5.
inline Vec3 place_mm(const Plane& plane, double x, double y) {
  return plane.at(x - 0.5, y - 0.5);
}

inline RectMm box_mm(const StudyAxes& axes, const Plane& plane, const Box& box) {
  const Vec3 first = place_mm(plane, double(box[0]), double(box[1]));
  const Vec3 last = place_mm(plane, double(box[2]), double(box[3]));
  return {axes.x(first), axes.y(first), axes.x(last), axes.y(last)};
}

// Of an even number the mean of the two in the middle; 0 of none.
inline double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

}  // namespace spinert
