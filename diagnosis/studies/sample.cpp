// sample.cpp - the pixels of a plane: through a section where the plane keeps one axis of the volume (every plane of
// plan_reformat), voxel by voxel otherwise; and native sagittal pictures turned upright.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "diagnosis/images/limits.h"
#include "diagnosis/studies/reformat.h"
#include "diagnosis/studies/section.h"

namespace spinert {
namespace {

constexpr double kSquare = 1e-4;  // relative: two spacings nearer than this are one

// What both ways of sampling know about one axis of the volume.
struct VolumeAxis {
  int extent = 0;
  size_t stride = 0;  // in values
  Affine position;    // in voxels, of a pixel of the plane
};

std::array<VolumeAxis, 3> axes_of(const Volume& volume, const Plane& plane) {
  const Grid& grid = volume.grid;
  const Vec3 &a = grid.plane.column_step, &b = grid.plane.row_step, &c = grid.slice_step;
  const double determinant = dot(a, cross(b, c));
  // Rows of the inverse of the matrix of the three steps. Without an inverse nothing is finite, and all lies outside.
  const Vec3 inverse[3] = {(1 / determinant) * cross(b, c), (1 / determinant) * cross(c, a),
                           (1 / determinant) * cross(a, b)};
  const int extents[3] = {grid.plane.columns, grid.plane.rows, grid.slices};
  std::array<VolumeAxis, 3> axes;
  size_t stride = 1;
  for (size_t i = 0; i < 3; ++i) {
    axes[i] = {extents[i],
               stride,
               {dot(inverse[i], plane.origin - grid.plane.origin), dot(inverse[i], plane.column_step),
                dot(inverse[i], plane.row_step)}};
    stride *= static_cast<size_t>(extents[i]);
  }
  return axes;
}

bool is_missing(const Volume& volume, int slice) {
  return std::binary_search(volume.missing.begin(), volume.missing.end(), slice);
}

constexpr size_t kSliceAxis = 2;

// The plane of the volume at `tap` of axis `across`; axis `p` becomes its columns, `q` its rows.
Section cut(const Volume& volume, const std::array<VolumeAxis, 3>& axes, size_t across, const Tap& tap, size_t p,
            size_t q) {
  Section section{axes[p].extent, axes[q].extent, {}};
  const auto columns = static_cast<size_t>(section.columns), rows = static_cast<size_t>(section.rows);
  section.values.resize(columns * rows);
  const int16_t* low = volume.hu.data() + static_cast<size_t>(tap.low) * axes[across].stride;
  const int16_t* high = volume.hu.data() + static_cast<size_t>(tap.high) * axes[across].stride;
  const auto weight = static_cast<float>(tap.weight);
  // The axis that lies closer together in memory runs inside.
  const bool rows_inside = axes[q].stride < axes[p].stride;
  const size_t outer = rows_inside ? columns : rows, inner = rows_inside ? rows : columns;
  const size_t outer_from = axes[rows_inside ? p : q].stride, inner_from = axes[rows_inside ? q : p].stride;
  const size_t outer_to = rows_inside ? 1 : columns, inner_to = rows_inside ? columns : 1;
  for (size_t i = 0; i < outer; ++i) {
    const int16_t *from_low = low + i * outer_from, *from_high = high + i * outer_from;
    float* to = section.values.data() + i * outer_to;
    for (size_t j = 0; j < inner; ++j) {
      const float value = from_low[j * inner_from];
      to[j * inner_to] = weight == 0 ? value : value * (1 - weight) + from_high[j * inner_from] * weight;
    }
  }

  constexpr float kNothing = std::numeric_limits<float>::quiet_NaN();
  if (across == kSliceAxis) {
    if (is_missing(volume, tap.low) || is_missing(volume, tap.high)) {
      std::fill(section.values.begin(), section.values.end(), kNothing);
    }
    return section;
  }
  for (const int slice : volume.missing) {
    const size_t first = static_cast<size_t>(slice) * (p == kSliceAxis ? 1 : columns);
    const size_t step = p == kSliceAxis ? columns : 1, count = p == kSliceAxis ? rows : columns;
    for (size_t i = 0; i < count; ++i) section.values[first + i * step] = kNothing;
  }
  return section;
}

// One pixel anywhere, by eight voxels.
int16_t sample_voxels(const Volume& volume, const std::array<VolumeAxis, 3>& axes, int x, int y) {
  Tap taps[3];
  for (size_t i = 0; i < 3; ++i) {
    taps[i] = tap_of(axes[i].position.at(x, y), axes[i].extent);
    if (taps[i].low < 0) return kAirHu;
  }
  if (!volume.missing.empty() &&
      (is_missing(volume, taps[kSliceAxis].low) || is_missing(volume, taps[kSliceAxis].high))) {
    return kAirHu;
  }
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double weight = 1;
    size_t at = 0;
    for (size_t i = 0; i < 3; ++i) {
      const bool upper = corner >> i & 1;
      weight *= upper ? taps[i].weight : 1 - taps[i].weight;
      at += static_cast<size_t>(upper ? taps[i].high : taps[i].low) * axes[i].stride;
    }
    if (weight > 0) sum += weight * volume.hu[at];
  }
  return static_cast<int16_t>(std::rint(sum));
}

// The picture without its first column (or row) first, in place of it: flips and transposition.
HuSlice transposed(const HuSlice& from) {
  const auto columns = static_cast<size_t>(from.plane.columns), rows = static_cast<size_t>(from.plane.rows);
  HuSlice to{{from.plane.rows, from.plane.columns, from.plane.origin, from.plane.row_step, from.plane.column_step}, {}};
  to.hu.resize(from.hu.size());
  for (size_t y = 0; y < rows; ++y) {
    for (size_t x = 0; x < columns; ++x) to.hu[x * rows + y] = from.hu[y * columns + x];
  }
  return to;
}

void flip_columns(HuSlice& slice) {
  const auto columns = static_cast<std::ptrdiff_t>(slice.plane.columns);
  for (auto row = slice.hu.begin(); row != slice.hu.end(); row += columns) std::reverse(row, row + columns);
  slice.plane.origin = slice.plane.at(slice.plane.columns - 1, 0);
  slice.plane.column_step = -1 * slice.plane.column_step;
}

void flip_rows(HuSlice& slice) {
  const auto columns = static_cast<std::ptrdiff_t>(slice.plane.columns);
  for (std::ptrdiff_t top = 0, bottom = slice.plane.rows - 1; top < bottom; ++top, --bottom) {
    std::swap_ranges(slice.hu.begin() + top * columns, slice.hu.begin() + (top + 1) * columns,
                     slice.hu.begin() + bottom * columns);
  }
  slice.plane.origin = slice.plane.at(0, slice.plane.rows - 1);
  slice.plane.row_step = -1 * slice.plane.row_step;
}

}  // namespace

HuSlice sample_plane(const Volume& volume, const Plane& plane) {
  HuSlice out{plane, {}};
  const std::array<VolumeAxis, 3> axes = axes_of(volume, plane);
  for (size_t across = 0; across < 3; ++across) {
    const Affine& position = axes[across].position;
    const double change = std::abs(position.per_column) * plane.columns + std::abs(position.per_row) * plane.rows;
    if (!(change < kNoChange)) continue;
    const Tap tap = tap_of(position.start, axes[across].extent);
    if (tap.low < 0) {
      out.hu.assign(static_cast<size_t>(plane.columns) * static_cast<size_t>(plane.rows), kAirHu);
      return out;
    }
    size_t p = (across + 1) % 3, q = (across + 2) % 3;
    if (std::abs(axes[q].position.per_column) > std::abs(axes[p].position.per_column)) std::swap(p, q);
    const Section section = cut(volume, axes, across, tap, p, q);
    out.hu = sample_section(section, plane.columns, plane.rows, axes[p].position, axes[q].position);
    return out;
  }
  out.hu.reserve(static_cast<size_t>(plane.columns) * static_cast<size_t>(plane.rows));
  for (int y = 0; y < plane.rows; ++y) {
    for (int x = 0; x < plane.columns; ++x) out.hu.push_back(sample_voxels(volume, axes, x, y));
  }
  return out;
}

Result<HuSlice> upright(const HuSlice& native, double mm_per_pixel) {
  const Vec3 column = native.plane.column_step, row = native.plane.row_step, normal = cross(column, row);
  if (!(length(column) > 0 && length(row) > 0 && length(normal) > 0) || !std::isfinite(length(normal))) {
    return error(ErrorId::E_GEOM_MISSING, "a picture without extent in the patient");
  }
  if (!(std::abs(normal.x) > std::abs(normal.y) && std::abs(normal.x) > std::abs(normal.z))) {
    return error(ErrorId::E_GEOM_TILT, "not a sagittal picture")
        .expected("a normal from right to left",
                  std::to_string(normal.x) + ", " + std::to_string(normal.y) + ", " + std::to_string(normal.z));
  }
  // Which of the two runs along the body.
  const Vec3 across = unit(column), down = unit(row);
  const bool turned = std::abs(across.z) + std::abs(down.y) > std::abs(across.y) + std::abs(down.z);
  HuSlice slice = turned ? transposed(native) : native;
  if (slice.plane.column_step.y < 0) flip_columns(slice);
  if (slice.plane.row_step.z > 0) flip_rows(slice);

  const double column_mm = length(slice.plane.column_step), row_mm = length(slice.plane.row_step);
  const bool is_square = std::abs(column_mm - row_mm) <= kSquare * row_mm;
  if (mm_per_pixel == 0) {
    if (is_square) return slice;
    return error(ErrorId::E_GEOM_MISSING, "pixels are not square, and no spacing is asked for")
        .expected("mm_per_pixel of the model", std::to_string(column_mm) + " x " + std::to_string(row_mm) + " mm");
  }
  if (is_square && std::abs(column_mm - mm_per_pixel) <= kSquare * mm_per_pixel) return slice;

  const double columns = std::floor((slice.plane.columns - 1) * column_mm / mm_per_pixel + kEdgeTolerance) + 1;
  const double rows = std::floor((slice.plane.rows - 1) * row_mm / mm_per_pixel + kEdgeTolerance) + 1;
  if (!(columns <= kMaxPictureSide && rows <= kMaxPictureSide && mm_per_pixel > 0)) {
    return error(ErrorId::E_IMAGE_SIZE, "a picture too large at " + std::to_string(mm_per_pixel) + " mm for each pixel")
        .expected("sides of at most " + std::to_string(kMaxPictureSide),
                  std::to_string(columns) + " x " + std::to_string(rows));
  }
  const Plane plane{static_cast<int>(columns), static_cast<int>(rows), slice.plane.origin,
                    mm_per_pixel * unit(slice.plane.column_step), mm_per_pixel * unit(slice.plane.row_step)};
  const Section section{slice.plane.columns, slice.plane.rows, std::vector<float>(slice.hu.begin(), slice.hu.end())};
  return HuSlice{plane, sample_section(section, plane.columns, plane.rows, {0, mm_per_pixel / column_mm, 0},
                                       {0, 0, mm_per_pixel / row_mm})};
}

}  // namespace spinert
