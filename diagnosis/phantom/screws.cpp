// screws.cpp - pedicle screws with heads, and the rods that join those of neighbours.
#include <cmath>

#include "diagnosis/phantom/posterior.h"
#include "diagnosis/phantom/vertebra.h"

namespace spinert::phantom {
namespace {

// Far above what a CT number can say: it is cut at the top of the range.
constexpr double kMetal = 6000;

void paint_metal(Canvas& canvas, const Rod& rod, double thread) {
  const Point middle{(rod.from.x + rod.to.x) / 2, (rod.from.y + rod.to.y) / 2};
  const double dx = rod.to.x - rod.from.x, dy = rod.to.y - rod.from.y, length = std::sqrt(dx * dx + dy * dy);
  const double radius = rod.radius_from > rod.radius_to ? rod.radius_from : rod.radius_to;
  constexpr double kPitch = 2.7;  // mm from thread to thread
  canvas.near(middle, length / 2 + radius + 2, [&](float& hu, Point p) {
    double depth = rod.depth(p);
    if (thread > 0) {
      const double along = ((p.x - rod.from.x) * dx + (p.y - rod.from.y) * dy) / length / kPitch;
      depth += thread * (std::abs(2 * (along - floor_int(along)) - 1) - 0.5);
    }
    blend(hu, kMetal, canvas.cover(depth));
  });
}

}  // namespace

void paint_screws(Canvas& canvas, const Spine& spine, Random& random) {
  const double core = random.between(2.0, 2.7), tilt = random.between(-0.12, 0.12);
  bool joined = false;
  Point head_above;
  for (const Vertebra& v : spine.vertebrae) {
    const double length = random.between(0.55, 0.85), place = random.between(-0.34, -0.2);
    if (!v.disease.screw) {
      joined = false;
      continue;
    }
    const double a = v.depth / 2, h = v.standing_height() / 2, size = v.depth < 22 ? 0.75 : 1;
    const Point head = v.frame.slice({a + 17, place * h * 2 * 0.8});
    const Point tip = v.frame.slice({a - 2 * a * length, place * h * 2 * 0.8 + tilt * 2 * a});
    paint_metal(canvas, {tip, head, core * size * 0.85, core * size}, 0.8);
    const Point back = v.frame.slice({a + 23, place * h * 2 * 0.8});
    paint_metal(canvas, {head, back, 4.6 * size, 4.6 * size}, 0);
    if (joined) paint_metal(canvas, {head_above, back, 2.75, 2.75}, 0);
    head_above = back;
    joined = true;
  }
}

}  // namespace spinert::phantom
