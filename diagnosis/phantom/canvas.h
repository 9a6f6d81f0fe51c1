// canvas.h - the Hounsfield units of a slice while it is painted, and the loops over the pixels near a shape.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "diagnosis/phantom/arithmetic.h"

namespace spinert::phantom {

struct Canvas {
  int width = 0, height = 0;
  double spacing = 1;     // mm of a pixel's side
  std::vector<float> hu;  // [height][width]

  Canvas(int w, int h, double mm)
      : width(w), height(h), spacing(mm), hu(static_cast<size_t>(w) * static_cast<size_t>(h), -1000.0f) {}

  float* row(int y) { return hu.data() + static_cast<size_t>(y) * static_cast<size_t>(width); }
  const float* row(int y) const { return hu.data() + static_cast<size_t>(y) * static_cast<size_t>(width); }
  // Of the middle of a pixel.
  double mm(int pixel) const { return (pixel + 0.5) * spacing; }
  // How much of a pixel lies inside an edge `depth` mm away, positive inside. `softness`: mm over which an edge fades
  // that runs obliquely through the thickness of the slice.
  double cover(double depth, double softness = 0) const { return clamp01(depth / (spacing + softness) + 0.5); }

  // visit(hu, point) for every pixel whose middle is within `reach` mm of the centre in x and in y.
  template <class Visit>
  void near(Point centre, double reach, Visit visit) {
    const int x0 = std::max(0, floor_int((centre.x - reach) / spacing));
    const int x1 = std::min(width, floor_int((centre.x + reach) / spacing) + 1);
    const int y0 = std::max(0, floor_int((centre.y - reach) / spacing));
    const int y1 = std::min(height, floor_int((centre.y + reach) / spacing) + 1);
    for (int y = y0; y < y1; ++y) {
      float* values = row(y);
      for (int x = x0; x < x1; ++x) visit(values[x], Point{mm(x), mm(y)});
    }
  }
};

inline void blend(float& hu, double to, double share) {
  hu = static_cast<float>(mix(static_cast<double>(hu), to, share));
}

}  // namespace spinert::phantom
