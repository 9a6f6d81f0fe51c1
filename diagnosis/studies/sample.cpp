// sample.cpp - the pixels of a plane: through a section where the plane keeps one axis of the volume (every plane of
// plan_reformat), voxel by voxel otherwise; and native sagittal pictures turned upright.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
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
  size_t stride = 0;  // in values of a slice; of the slices nothing
  Affine position;    // in voxels, of a pixel of the plane
};

constexpr size_t kSliceAxis = 2;

std::array<VolumeAxis, 3> axes_of(const Volume& volume, const Plane& plane) {
  const Grid& grid = volume.grid;
  const Vec3 &a = grid.plane.column_step, &b = grid.plane.row_step, &c = grid.slice_step;
  const double determinant = dot(a, cross(b, c));
  // Rows of the inverse of the matrix of the three steps. Without an inverse nothing is finite, and all lies outside.
  const Vec3 inverse[3] = {(1 / determinant) * cross(b, c), (1 / determinant) * cross(c, a),
                           (1 / determinant) * cross(a, b)};
  const int extents[3] = {grid.plane.columns, grid.plane.rows, grid.slices};
  const size_t strides[3] = {1, static_cast<size_t>(grid.plane.columns), 0};
  std::array<VolumeAxis, 3> axes;
  for (size_t i = 0; i < 3; ++i) {
    axes[i] = {extents[i],
               strides[i],
               {dot(inverse[i], plane.origin - grid.plane.origin), dot(inverse[i], plane.column_step),
                dot(inverse[i], plane.row_step)}};
  }
  return axes;
}

// `count` values between two places of the volume: every `from` values one, to every `to_step`.
void blend(const int16_t* low, const int16_t* high, float weight, size_t from, float* to, size_t to_step,
           size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const float value = low[i * from];
    to[i * to_step] = weight == 0 ? value : value * (1 - weight) + high[i * from] * weight;
  }
}

// The planes of the volume at `taps` of axis `across`; axis `p` becomes their columns, `q` their rows. Slice by slice:
// what lies beside a plane comes into the cache with it, and is what the next plane wants.
std::vector<Section> cut(const Volume& volume, const std::array<VolumeAxis, 3>& axes, size_t across,
                         std::span<const Tap> taps, size_t p, size_t q) {
  Section empty{axes[p].extent, axes[q].extent, {}};
  const auto columns = static_cast<size_t>(empty.columns), rows = static_cast<size_t>(empty.rows);
  // What a missing slice would have given, or what lies outside.
  empty.values.resize(columns * rows, std::numeric_limits<float>::quiet_NaN());
  std::vector<Section> sections(taps.size(), empty);
  if (across == kSliceAxis) {
    for (size_t i = 0; i < taps.size(); ++i) {
      if (taps[i].low < 0 || !volume.has(taps[i].low) || !volume.has(taps[i].high)) continue;
      const int16_t *low = volume.row(taps[i].low, 0), *high = volume.row(taps[i].high, 0);
      for (size_t y = 0; y < rows; ++y) {
        const size_t at = y * axes[q].stride;
        blend(low + at, high + at, static_cast<float>(taps[i].weight), axes[p].stride,
              sections[i].values.data() + y * columns, 1, columns);
      }
    }
    return sections;
  }
  const bool slices_are_columns = p == kSliceAxis;
  const size_t slice_step = slices_are_columns ? 1 : columns, step = slices_are_columns ? columns : 1;
  const VolumeAxis& along = axes[slices_are_columns ? q : p];
  for (int slice = 0; slice < axes[kSliceAxis].extent; ++slice) {
    if (!volume.has(slice)) continue;
    const int16_t* from = volume.row(slice, 0);
    for (size_t i = 0; i < taps.size(); ++i) {
      if (taps[i].low < 0) continue;
      const int16_t* low = from + static_cast<size_t>(taps[i].low) * axes[across].stride;
      const int16_t* high = from + static_cast<size_t>(taps[i].high) * axes[across].stride;
      blend(low, high, static_cast<float>(taps[i].weight), along.stride,
            sections[i].values.data() + static_cast<size_t>(slice) * slice_step, step,
            static_cast<size_t>(along.extent));
    }
  }
  return sections;
}

// One pixel anywhere, by eight voxels.
int16_t sample_voxels(const Volume& volume, const std::array<VolumeAxis, 3>& axes, int x, int y) {
  Tap taps[3];
  for (size_t i = 0; i < 3; ++i) {
    taps[i] = tap_of(axes[i].position.at(x, y), axes[i].extent);
    if (taps[i].low < 0) return kAirHu;
  }
  if (!volume.has(taps[kSliceAxis].low) || !volume.has(taps[kSliceAxis].high)) return kAirHu;
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    double weight = 1;
    size_t at = 0;
    for (size_t i = 0; i < 3; ++i) {
      const bool upper = corner >> i & 1;
      weight *= upper ? taps[i].weight : 1 - taps[i].weight;
      at += static_cast<size_t>(upper ? taps[i].high : taps[i].low) * axes[i].stride;
    }
    const Tap& slice = taps[kSliceAxis];
    if (weight > 0) sum += weight * volume.row(corner >> kSliceAxis & 1 ? slice.high : slice.low, 0)[at];
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

// How a plane is sampled. `across` is the axis that it keeps, if it keeps one, `p` that of its columns, `q` of its
// rows.
struct Way {
  std::array<VolumeAxis, 3> axes;
  bool keeps_axis = false;
  size_t across = 0, p = 0, q = 0;
  Tap tap;  // of `across`

  bool is_like(const Way& other) const {
    return keeps_axis && other.keeps_axis && across == other.across && p == other.p && q == other.q;
  }
};

Way way_of(const Volume& volume, const Plane& plane) {
  Way way{axes_of(volume, plane)};
  for (size_t across = 0; across < 3; ++across) {
    const Affine& position = way.axes[across].position;
    const double change = std::abs(position.per_column) * plane.columns + std::abs(position.per_row) * plane.rows;
    if (!(change < kNoChange)) continue;
    size_t p = (across + 1) % 3, q = (across + 2) % 3;
    if (std::abs(way.axes[q].position.per_column) > std::abs(way.axes[p].position.per_column)) std::swap(p, q);
    return {way.axes, true, across, p, q, tap_of(position.start, way.axes[across].extent)};
  }
  return way;
}

HuSlice sample_all_voxels(const Volume& volume, const std::array<VolumeAxis, 3>& axes, const Plane& plane) {
  HuSlice out{plane, {}};
  out.hu.reserve(static_cast<size_t>(plane.columns) * static_cast<size_t>(plane.rows));
  for (int y = 0; y < plane.rows; ++y) {
    for (int x = 0; x < plane.columns; ++x) out.hu.push_back(sample_voxels(volume, axes, x, y));
  }
  return out;
}

}  // namespace

HuSlice sample_plane(const Volume& volume, const Plane& plane) {
  return std::move(sample_planes(volume, {&plane, 1}).front());
}

std::vector<HuSlice> sample_planes(const Volume& volume, std::span<const Plane> planes) {
  std::vector<HuSlice> out;
  std::vector<Way> ways;
  for (const Plane& plane : planes) ways.push_back(way_of(volume, plane));
  for (size_t begin = 0, end = 0; begin < planes.size(); begin = end) {
    const Way& first = ways[begin];
    end = begin + 1;
    if (!first.keeps_axis) {
      out.push_back(sample_all_voxels(volume, first.axes, planes[begin]));
      continue;
    }
    while (end < planes.size() && ways[end].is_like(first)) ++end;
    std::vector<Tap> taps;
    for (size_t i = begin; i < end; ++i) taps.push_back(ways[i].tap);
    const std::vector<Section> sections = cut(volume, first.axes, first.across, taps, first.p, first.q);
    for (size_t i = begin; i < end; ++i) {
      const Plane& plane = planes[i];
      out.push_back({plane, sample_section(sections[i - begin], plane.columns, plane.rows,
                                           ways[i].axes[first.p].position, ways[i].axes[first.q].position)});
    }
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
