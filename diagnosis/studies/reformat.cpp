// reformat.cpp - which sagittal planes a volume gives.
#include "diagnosis/studies/reformat.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "diagnosis/images/limits.h"
#include "diagnosis/studies/section.h"

namespace spinert {
namespace {

constexpr int kBoneLow = 200, kBoneHigh = 2000;  // Hounsfield units
constexpr double kMaxLeanDegrees = 0.5;          // out of the sagittal plane
constexpr double kMaxShearDegrees = 45;          // within it
constexpr double kCoarseTolerance = 1e-3;        // mm: spacings are rounded

double sine(double degrees) {
  return std::sin(degrees * std::numbers::pi / 180);
}

struct BodyAxis {
  size_t index = 0;  // 0: columns, 1: rows, 2: slices of the volume
  int extent = 0;
  Vec3 step;
  double spacing = 0;
  Vec3 direction;   // unit, to the left, the back or the head
  double sign = 1;  // of direction along step
};

struct BodyAxes {
  BodyAxis left, back, head;
};

// Each axis of the volume is given to the axis of the body that it follows best, all three together.
BodyAxes body_axes(const Grid& grid) {
  const Vec3 steps[3] = {grid.plane.column_step, grid.plane.row_step, grid.slice_step};
  const int extents[3] = {grid.plane.columns, grid.plane.rows, grid.slices};
  const auto share = [&](size_t axis, double Vec3::*component) {
    const double size = length(steps[axis]);
    return size > 0 ? std::abs(steps[axis].*component) / size : 0;
  };
  static constexpr size_t kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  const size_t* best = kOrders[0];
  double most = -1;
  for (const auto& order : kOrders) {
    const double sum = share(order[0], &Vec3::x) + share(order[1], &Vec3::y) + share(order[2], &Vec3::z);
    if (sum > most) {
      most = sum;
      best = order;
    }
  }
  const auto axis = [&](size_t index, double Vec3::*component) {
    BodyAxis a{index, extents[index], steps[index], length(steps[index]), {}, 1};
    a.sign = a.step.*component < 0 ? -1 : 1;
    if (a.spacing > 0) a.direction = (a.sign / a.spacing) * a.step;
    return a;
  };
  return {axis(best[0], &Vec3::x), axis(best[1], &Vec3::y), axis(best[2], &Vec3::z)};
}

bool is_bone(int16_t hu) {
  return hu >= kBoneLow && hu <= kBoneHigh;
}

int64_t bone_in_row(const int16_t* row, size_t count) {
  int bone = 0;  // a row has at most 2^31 - 1 voxels
  for (size_t x = 0; x < count; ++x) bone += is_bone(row[x]);
  return bone;
}

// Voxels of bone for each index of an axis, in one pass over the memory.
std::vector<int64_t> bone_along(const Volume& volume, size_t axis) {
  const Grid& grid = volume.grid;
  const auto columns = static_cast<size_t>(grid.plane.columns);
  const int extent = axis == 0 ? grid.plane.columns : axis == 1 ? grid.plane.rows : grid.slices;
  std::vector<int64_t> bone(static_cast<size_t>(extent));
  std::vector<int> of_slice(axis == 0 ? columns : 0);  // 32 bits, so that more are added at once
  for (int k = 0; k < grid.slices; ++k) {
    if (!volume.has(k)) continue;
    std::fill(of_slice.begin(), of_slice.end(), 0);
    for (int y = 0; y < grid.plane.rows; ++y) {
      const int16_t* row = volume.row(k, y);
      if (axis == 0) {
        for (size_t x = 0; x < columns; ++x) of_slice[x] += is_bone(row[x]);
      } else {
        bone[static_cast<size_t>(axis == 1 ? y : k)] += bone_in_row(row, columns);
      }
    }
    for (size_t x = 0; x < of_slice.size(); ++x) bone[x] += of_slice[x];
  }
  return bone;
}

// The index at which the count reaches half, from the first voxel on.
double half_way(const std::vector<int64_t>& bone, double half) {
  double before = 0;
  for (size_t i = 0; i < bone.size(); ++i) {
    const auto here = static_cast<double>(bone[i]);
    if (before + here >= half) return static_cast<double>(i) - 0.5 + (half - before) / here;
    before += here;
  }
  return 0;
}

double midline_index(const Volume& volume, size_t axis) {
  std::vector<int64_t> bone = bone_along(volume, axis);
  int64_t total = 0;
  for (const int64_t count : bone) total += count;
  const double last = static_cast<double>(bone.size()) - 1;
  if (total == 0) return last / 2;
  // From both ends, so that a volume and its mirror image agree where nothing lies between two halves.
  const double half = static_cast<double>(total) / 2, from_first = half_way(bone, half);
  std::reverse(bone.begin(), bone.end());
  return (from_first + last - half_way(bone, half)) / 2;
}

double position_on(const BodyAxis& axis, const Grid& grid, double index) {
  return dot(axis.direction, grid.plane.origin) + axis.sign * axis.spacing * index;
}

Status check_rules(const ReformatRules& rules) {
  const bool sound = rules.mm_per_pixel > 0 && std::isfinite(rules.mm_per_pixel) && rules.step_mm > 0 &&
                     rules.every > 0 && std::isfinite(rules.step_mm) && rules.half_width_mm >= 0 &&
                     std::isfinite(rules.half_width_mm) && rules.max_slice_mm > 0;
  if (sound) return {};
  return error(ErrorId::E_USAGE, "sizes of sagittal pictures must be above zero")
      .expected("mm per pixel, step, half width", std::to_string(rules.mm_per_pixel) + ", " +
                                                      std::to_string(rules.step_mm) + ", " +
                                                      std::to_string(rules.half_width_mm));
}

Status check_axes(const BodyAxes& axes, double max_slice_mm) {
  for (const BodyAxis* axis : {&axes.back, &axes.head}) {
    if (axis->extent < 2 || !(axis->spacing > 0)) {
      return error(ErrorId::E_GEOM_COARSE, "one slice gives no sagittal picture")
          .expected("at least 2 slices", std::to_string(axis->extent))
          .hint("Give the whole series, or a sagittal one.");
    }
    if (!(axis->spacing <= max_slice_mm + kCoarseTolerance)) {
      return error(ErrorId::E_GEOM_COARSE, "slices lie too far apart for sagittal pictures")
          .expected("at most " + std::to_string(max_slice_mm) + " mm", std::to_string(axis->spacing) + " mm")
          .hint("Give the thin slices of this examination, or its sagittal series.");
    }
  }
  const auto refuse = [](const char* what, double sine_of, double limit) {
    return error(ErrorId::E_GEOM_TILT, what)
        .expected("at most " + std::to_string(limit) + " degrees",
                  std::to_string(std::asin(std::min(1.0, sine_of)) * 180 / std::numbers::pi));
  };
  if (!(axes.left.spacing > 0)) return refuse("no axis from right to left", 1, kMaxLeanDegrees);
  const double lean = std::max(std::abs(dot(axes.left.direction, axes.back.direction)),
                               std::abs(dot(axes.left.direction, axes.head.direction)));
  if (!(lean <= sine(kMaxLeanDegrees))) return refuse("slices lean out of the sagittal plane", lean, kMaxLeanDegrees);
  const double shear = std::abs(dot(axes.back.direction, axes.head.direction));
  if (!(shear <= sine(kMaxShearDegrees))) return refuse("slices lean too far", shear, kMaxShearDegrees);
  return {};
}

// The plane through the first voxel of the left-right axis.
Result<Plane> first_plane(const BodyAxes& axes, const Grid& grid, double mm) {
  const Vec3 down = -1 * axes.head.direction;
  const Vec3 along = dot(axes.back.direction, down) * down;
  const Vec3 back = unit(axes.back.direction - along);
  double low_back = 0, high_back = 0, low_down = 0, high_down = 0;
  for (int corner = 1; corner < 4; ++corner) {
    const Vec3 at = (corner & 1 ? axes.back.extent - 1 : 0) * axes.back.step +
                    (corner & 2 ? axes.head.extent - 1 : 0) * axes.head.step;
    low_back = std::min(low_back, dot(back, at));
    high_back = std::max(high_back, dot(back, at));
    low_down = std::min(low_down, dot(down, at));
    high_down = std::max(high_down, dot(down, at));
  }
  const double columns = std::floor((high_back - low_back) / mm + kEdgeTolerance) + 1;
  const double rows = std::floor((high_down - low_down) / mm + kEdgeTolerance) + 1;
  if (!(columns <= kMaxPictureSide && rows <= kMaxPictureSide)) {
    return error(ErrorId::E_IMAGE_SIZE, "sagittal pictures too large at " + std::to_string(mm) + " mm for each pixel")
        .expected("sides of at most " + std::to_string(kMaxPictureSide),
                  std::to_string(columns) + " x " + std::to_string(rows));
  }
  return Plane{static_cast<int>(columns), static_cast<int>(rows), grid.plane.origin + low_back * back + low_down * down,
               mm * back, mm * down};
}

}  // namespace

double bone_midline(const Volume& volume) {
  const BodyAxis left = body_axes(volume.grid).left;
  return position_on(left, volume.grid, midline_index(volume, left.index));
}

Result<ReformatPlan> plan_reformat(const Volume& volume, const ReformatRules& rules) {
  SPINERT_TRY(check_rules(rules));
  const Grid& grid = volume.grid;
  const BodyAxes axes = body_axes(grid);
  SPINERT_TRY(check_axes(axes, rules.max_slice_mm));
  SPINERT_ASSIGN(const Plane first, first_plane(axes, grid, rules.mm_per_pixel));

  const double middle = midline_index(volume, axes.left.index);
  const int last = axes.left.extent - 1;
  // Of two voxels equally near, the one further left in the patient, however the volume lies.
  const double nearest = axes.left.sign > 0 ? std::floor(middle + 0.5) : std::ceil(middle - 0.5);
  const int centre = static_cast<int>(std::clamp(nearest, 0.0, static_cast<double>(last)));
  const double nearest_step = std::clamp(std::floor(rules.step_mm / axes.left.spacing + 0.5), 1.0, last + 1.0);
  const int step = static_cast<int>(std::min(nearest_step * rules.every, last + 1.0));
  ReformatPlan plan;
  plan.midline_mm = position_on(axes.left, grid, middle);
  plan.step_mm = step * axes.left.spacing;
  for (int index = centre % step; index <= last; index += step) {
    const double position = axes.left.sign * axes.left.spacing * (index - middle);
    // The plane in the middle stays even if half the width is less than half a voxel.
    if (std::abs(position) > rules.half_width_mm && index != centre) continue;
    Plane plane = first;
    plane.origin = first.origin + index * axes.left.step;
    plan.planes.push_back(plane);
    plan.position_mm.push_back(position);
  }
  if (axes.left.sign < 0) {
    std::reverse(plan.planes.begin(), plan.planes.end());
    std::reverse(plan.position_mm.begin(), plan.position_mm.end());
  }
  return plan;
}

}  // namespace spinert
