// body_shape.h - the outline of one vertebral body in its own frame: endplates as curves over depth, front and back
// walls as curves over height, bent by collapse, remodelling and age.
#pragma once

#include <array>
#include <cmath>

#include "diagnosis/phantom/spine_shape.h"

namespace spinert::phantom {

// A curve sampled at even steps over [-reach, reach], with what a vertical distance shrinks by on its slope.
class Curve {
 public:
  static constexpr int kSamples = 193;
  Curve() = default;
  template <class Function>
  Curve(double reach, Function value) : reach_(reach) {
    for (int i = 0; i < kSamples; ++i) value_[static_cast<size_t>(i)] = value(at(i));
    const double step = 2 * reach_ / (kSamples - 1);
    for (int i = 0; i < kSamples; ++i) {
      const auto low = static_cast<size_t>(i > 0 ? i - 1 : 0), high = static_cast<size_t>(i + 1 < kSamples ? i + 1 : i);
      const double slope = (value_[high] - value_[low]) / (step * static_cast<double>(high - low));
      shrink_[static_cast<size_t>(i)] = 1 / std::sqrt(1 + slope * slope);
    }
  }
  double at(int sample) const { return reach_ * (2.0 * sample / (kSamples - 1) - 1); }
  double value(double t) const { return look_up(value_, t); }
  double shrink(double t) const { return look_up(shrink_, t); }

 private:
  double look_up(const std::array<double, kSamples>& table, double t) const {
    const double place = clamp01((t / reach_ + 1) / 2) * (kSamples - 1);
    const int i = floor_int(place) < kSamples - 1 ? floor_int(place) : kSamples - 2;
    return mix(table[static_cast<size_t>(i)], table[static_cast<size_t>(i) + 1], place - i);
  }
  double reach_ = 1;
  std::array<double, kSamples> value_{}, shrink_{};
};

struct Extent {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;  // mm of the slice
};

class BodyShape {
 public:
  BodyShape(const Vertebra& vertebra, Random& random);

  // mm to the surface of the whole body without node, positive inside; about right near the surface.
  double depth(Point uv) const;
  double top(double u) const { return top_.value(u); }
  double bottom(double u) const { return bottom_.value(u); }
  double half_depth() const { return half_depth_; }
  double half_height() const { return half_height_; }
  // Of the outline.
  Extent extent() const;

 private:
  Frame frame_;
  double half_depth_, half_height_, corner_;
  Curve top_, bottom_;  // v over u
  Curve front_, back_;  // u over v
};

}  // namespace spinert::phantom
