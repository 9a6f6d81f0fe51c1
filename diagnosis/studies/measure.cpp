// measure.cpp - finds the two endplates of a body as the strongest connected edges from its front to its back.
//
// The body is sampled on a grid along the spine (v) and across it (u). At each point the strength of an edge is the
// mean of 1 mm towards the middle of the body minus the mean of 1 mm away from it: an endplate is brighter than the
// disc even where the bone inside is not. A path through all columns, which may rise or fall by at most about 45
// degrees, gathers the most strength.
#include "diagnosis/studies/measure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace spinert {
namespace {

constexpr int kColumns = 21;           // over the middle 0.85 of the depth
constexpr double kReach = 0.85;        // of the half depth
constexpr double kRowStep = 0.25;      // mm
constexpr int kEdgeRows = 4;           // on each side of an edge: 1 mm
constexpr int kRefineRows = 3;         // 0.75 mm
constexpr double kBeyondBox = 2.0;     // mm: how far outside the box an endplate may lie
constexpr double kBeyondBody = 9.0;    // mm: the same outside the height that the box suggests; wedges that lean do
constexpr double kBeyondMiddle = 0.1;  // of the height: how far past the middle an endplate may have sunk
constexpr double kStrongest = 250;     // HU; cement and metal are no better edges than bone
constexpr double kWeakest = 45;        // HU; the median along an endplate must reach it
constexpr double kBend = 6;            // HU for each row by which the path rises or falls
constexpr double kInnerWeight = 0.45;  // of an edge in the middle of the body, against 1 near its ends
constexpr double kOuterWeight = 0.5, kNear = 2, kFar = 8;  // of an edge kFar mm outside; falling from kNear mm on
constexpr double kStation = 0.7;       // of the half depth: where the front and back heights are taken
constexpr double kInner = 0.6;         // of depth and height: what the mean Hounsfield value is of
constexpr double kLeastUpright = 0.5;  // cosine of the lean
constexpr double kLeastSide = 5;       // mm of the box

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

class Body {
 public:
  // A direction of length 1 in mm, y > 0.
  Body(const HuSlice& picture, const Box& box, double along_x, double along_y)
      : picture_(picture), along_x_(along_x), along_y_(along_y) {
    step_x_ = length(picture.plane.column_step);
    step_y_ = length(picture.plane.row_step);
    middle_x_ = 0.5 * (double(box[0]) + double(box[2])) - 0.5;
    middle_y_ = 0.5 * (double(box[1]) + double(box[3])) - 0.5;
    // The box surrounds a body of depth d and height h that leans: width = d cos + h sin, height = d sin + h cos.
    const double width = (double(box[2]) - double(box[0])) * step_x_;
    const double height = (double(box[3]) - double(box[1])) * step_y_;
    half_box_ = 0.5 * height;
    const double c = along_y_, s = std::abs(along_x_), both = std::max(c * c - s * s, 0.3);
    half_depth_ = 0.5 * std::clamp((width * c - height * s) / both, 0.6 * width, width);
    half_height_ = 0.5 * std::clamp((height * c - width * s) / both, 0.6 * height, height);
  }

  bool sample() {
    rows_ = 2 * static_cast<int>(std::ceil((half_height_ + kBeyondBody) / kRowStep)) + 1;
    values_.assign(static_cast<size_t>(kColumns) * static_cast<size_t>(rows_), 0);
    for (int k = 0; k < kColumns; ++k) {
      const double spread = 0.5 * kReach * half_depth_ / (kColumns - 1);
      for (int i = 0; i < rows_; ++i) {
        double sum = 0;
        for (const double off : {-spread, 0.0, spread}) sum += hu(u_of(k) + off, v_of(i));
        if (std::isnan(sum) && std::abs(v_of(i)) <= half_height_) return false;  // the body itself is cut off
        value(k, i) = sum / 3;
      }
    }
    return true;
  }

  // Row of the endplate in each column; empty if it cannot be told. side: -1 above, 1 below.
  std::vector<int> endplate(int side) const {
    const int first = side < 0 ? kEdgeRows : row_of(-2 * kBeyondMiddle * half_height_);
    const int last = side < 0 ? row_of(2 * kBeyondMiddle * half_height_) : rows_ - 1 - kEdgeRows;
    const int count = last - first + 1;
    if (count < 3) return {};
    const int climb = std::max(1, static_cast<int>(std::lround((u_of(1) - u_of(0)) / kRowStep)));
    // best[k][i]: the most that a path from column 0 to row i of column k gathers; from: the row it came from.
    std::vector<double> best(static_cast<size_t>(kColumns * count));
    std::vector<int> from(best.size());
    const auto at = [count](int k, int i) { return static_cast<size_t>(k * count + i); };
    for (int k = 0; k < kColumns; ++k) {
      for (int i = 0; i < count; ++i) {
        double most = k == 0 ? 0 : -std::numeric_limits<double>::infinity();
        for (int j = std::max(0, i - climb); k > 0 && j <= std::min(count - 1, i + climb); ++j) {
          const double reached = best[at(k - 1, j)] - kBend * std::abs(i - j);
          if (reached > most) {
            most = reached;
            from[at(k, i)] = j;
          }
        }
        best[at(k, i)] = most + weight(first + i, side) * std::clamp(edge(k, first + i, side), -kStrongest, kStrongest);
      }
    }
    std::vector<int> path(kColumns);
    int row = 0;
    for (int i = 1; i < count; ++i) {
      if (best[at(kColumns - 1, i)] > best[at(kColumns - 1, row)]) row = i;
    }
    std::vector<double> strengths;
    for (int k = kColumns - 1; k >= 0; --k) {
      path[static_cast<size_t>(k)] = first + row;
      strengths.push_back(edge(k, first + row, side));
      row = from[at(k, row)];
    }
    std::ranges::nth_element(strengths, strengths.begin() + kColumns / 2);
    if (strengths[kColumns / 2] < kWeakest) return {};
    // At the end of the window the edge may lie beyond it.
    for (const double u : {-kStation, 0.0, kStation}) {
      const int i = path[static_cast<size_t>(column_of(u))];
      if (i == first || i == last) return {};
    }
    return path;
  }

  std::optional<BodyMeasures> measure(const std::vector<int>& top, const std::vector<int>& bottom) const {
    const auto height = [&](double place) {
      double sum = 0;
      const int k = column_of(place);
      for (int n = k - 1; n <= k + 1; ++n) {
        sum += kRowStep * (refined(n, bottom[static_cast<size_t>(n)], 1) - refined(n, top[static_cast<size_t>(n)], -1));
      }
      return sum / 3;
    };
    BodyMeasures m{height(-kStation), height(0), height(kStation), 0};
    for (const double h : {m.anterior_mm, m.middle_mm, m.posterior_mm}) {
      if (!(h > 0.25 * 2 * half_height_)) return {};
    }
    double sum = 0;
    int count = 0;
    for (int k = 0; k < kColumns; ++k) {
      if (std::abs(u_of(k)) > kInner * half_depth_) continue;
      const double off = 0.5 * (1 - kInner) * (bottom[static_cast<size_t>(k)] - top[static_cast<size_t>(k)]);
      for (int i = top[static_cast<size_t>(k)]; i <= bottom[static_cast<size_t>(k)]; ++i) {
        if (i < top[static_cast<size_t>(k)] + off || i > bottom[static_cast<size_t>(k)] - off) continue;
        sum += value(k, i);
        ++count;
      }
    }
    if (count == 0 || std::isnan(sum)) return {};
    m.mean_hu = sum / count;
    return m;
  }

 private:
  double u_of(int k) const { return kReach * half_depth_ * (2.0 * k / (kColumns - 1) - 1); }
  double v_of(int i) const { return kRowStep * (i - rows_ / 2); }
  int row_of(double v) const { return rows_ / 2 + static_cast<int>(std::lround(v / kRowStep)); }
  int column_of(double place) const {
    return static_cast<int>(std::lround(0.5 * (place / kReach + 1) * (kColumns - 1)));
  }
  double& value(int k, int i) {
    return values_[static_cast<size_t>(k) * static_cast<size_t>(rows_) + static_cast<size_t>(i)];
  }
  double value(int k, int i) const {
    return values_[static_cast<size_t>(k) * static_cast<size_t>(rows_) + static_cast<size_t>(i)];
  }

  // u mm backwards and v mm down the spine from the middle of the box, linear between pixels; NaN where nothing was
  // measured.
  double hu(double u, double v) const {
    const double x = middle_x_ + (u * along_y_ + v * along_x_) / step_x_;
    const double y = middle_y_ + (v * along_y_ - u * along_x_) / step_y_;
    const int columns = picture_.plane.columns, rows = picture_.plane.rows;
    if (!(x >= 0 && y >= 0 && x <= columns - 1 && y <= rows - 1)) return kNone;
    const int x0 = std::min(static_cast<int>(x), columns - 2), y0 = std::min(static_cast<int>(y), rows - 2);
    const double fx = x - x0, fy = y - y0;
    std::array<double, 2> line;
    for (int r = 0; r < 2; ++r) {
      const int16_t* p = picture_.hu.data() + static_cast<size_t>(y0 + r) * static_cast<size_t>(columns) + x0;
      if (p[0] == kAirHu || p[1] == kAirHu) return kNone;
      line[static_cast<size_t>(r)] = p[0] + (p[1] - p[0]) * fx;
    }
    return line[0] + (line[1] - line[0]) * fy;
  }

  // HU by which the inner side of row i is brighter; 0 where one side was not measured, and outside the box.
  double edge(int k, int i, int side) const {
    const double down = v_of(i) * along_y_ - u_of(k) * along_x_;
    if (side * down > half_box_ + kBeyondBox) return 0;
    double above = 0, below = 0;
    for (int n = 1; n <= kEdgeRows; ++n) {
      above += value(k, i - n);
      below += value(k, i + n);
    }
    const double strength = (side < 0 ? below - above : above - below) / kEdgeRows;
    return std::isnan(strength) ? 0 : strength;
  }

  // An endplate lies near the end of the body: what lies deep in it may be a band of packed bone, what lies far outside
  // may belong to the neighbour.
  double weight(int i, int side) const {
    const double inwards = half_height_ - side * v_of(i);  // mm from the end of the body
    const double deep = std::clamp((inwards - 0.5 * half_height_) / (0.5 * half_height_), 0.0, 1.0);
    const double outside = std::clamp((-inwards - kNear) / (kFar - kNear), 0.0, 1.0);
    return 1 - (1 - kInnerWeight) * deep - (1 - kOuterWeight) * outside;
  }

  // Where the endplate begins near row i: the steepest slope, between rows by the parabola through three. The windows
  // of edge() reach over the whole endplate and would set it half a millimetre too far out.
  double refined(int k, int i, int side) const {
    const auto slope = [&](int row) {
      const double above = value(k, row - 1) + value(k, row - 2), below = value(k, row + 1) + value(k, row + 2);
      return side < 0 ? below - above : above - below;
    };
    const int low = std::max(3, i - kRefineRows), high = std::min(rows_ - 4, i + kRefineRows);
    int best = std::clamp(i, low, high);
    for (int row = low; row <= high; ++row) {
      if (slope(row) > slope(best)) best = row;
    }
    const double a = slope(best - 1), b = slope(best), c = slope(best + 1), bend = a - 2 * b + c;
    return bend < 0 ? best + std::clamp(0.5 * (a - c) / bend, -0.5, 0.5) : best;
  }

  const HuSlice& picture_;
  double along_x_, along_y_, step_x_ = 1, step_y_ = 1, middle_x_ = 0, middle_y_ = 0, half_depth_ = 0, half_height_ = 0,
                             half_box_ = 0;
  int rows_ = 0;
  std::vector<double> values_;  // [column][row]
};

}  // namespace

std::optional<BodyMeasures> measure_body(const HuSlice& picture, const Box& box, double along_x, double along_y) {
  const Plane& plane = picture.plane;
  const double step_x = length(plane.column_step), step_y = length(plane.row_step);
  if (plane.columns < 2 || plane.rows < 2 || !(step_x > 0 && step_y > 0)) return {};
  // Boxes reach beyond a picture by little; this also keeps the grid small.
  for (const float edge : box) {
    if (!(std::abs(edge) <= 2.0f * static_cast<float>(plane.columns + plane.rows))) return {};
  }
  if (!((double(box[2]) - double(box[0])) * step_x >= kLeastSide &&
        (double(box[3]) - double(box[1])) * step_y >= kLeastSide))
    return {};
  const double x = along_x * step_x, y = along_y * step_y, size = std::hypot(x, y);
  if (!(size > 0 && y / size >= kLeastUpright)) return {};
  Body body(picture, box, x / size, y / size);
  if (!body.sample()) return {};
  const std::vector<int> top = body.endplate(-1), bottom = body.endplate(1);
  if (top.empty() || bottom.empty()) return {};
  return body.measure(top, bottom);
}

}  // namespace spinert
