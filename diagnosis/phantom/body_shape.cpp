// body_shape.cpp - how age, collapse and remodelling bend the four walls.
#include "diagnosis/phantom/body_shape.h"

#include <algorithm>

namespace spinert::phantom {
namespace {

// What a collapse takes of the height at t, from -1 in front to 1 behind.
double lost(const Disease& disease, double t) {
  switch (disease.collapse) {
    case Collapse::wedge: return disease.loss * mix(1, 0.1, smooth_between(-0.9, 1, t));
    case Collapse::biconcave: return disease.loss * std::max(0.0, 1 - 0.92 * t * t);
    case Collapse::crush: return disease.loss * mix(0.88, 1, clamp01(1 - t * t));
    case Collapse::none: break;
  }
  return 0;
}

}  // namespace

BodyShape::BodyShape(const Vertebra& vertebra, Random& random) : frame_(vertebra.frame) {
  const Disease& d = vertebra.disease;
  const bool fresh = d.collapse != Collapse::none && !d.old;
  const bool sacral = vertebra.level >= kSacrum;
  const double widened = d.old ? random.between(1.01, 1.06) : 1.0;
  half_depth_ = vertebra.depth / 2 * widened;
  half_height_ = vertebra.standing_height() / 2;
  corner_ = random.between(0.7, 1.8);

  const double a = half_depth_, h = vertebra.height / 2, shift = d.mean_loss() * vertebra.height;
  const double natural_wedge = random.between(-0.02, 0.06);  // healthy bodies are a little lower in front
  const double hollow_top = sacral ? 0 : random.between(0.2, 1.9),
               hollow_bottom = sacral ? 0 : random.between(0.2, 1.9);
  const uint32_t rough_seed = random.seed();
  const double rough = fresh && has(d.findings, kOvcf) ? random.between(0.5, 1.15)
                       : d.collapse != Collapse::none  ? 0.35
                                                       : random.between(0.08, 0.28);
  const double grain = fresh ? random.between(2.4, 4.2) : random.between(4, 7);
  const auto roughness = [=](double t, uint32_t side) {
    const double fine = noise(rough_seed + side, t / (grain * 0.45));
    return rough * (0.75 * noise(rough_seed + side, t / grain + 100) + 0.4 * fine);
  };
  // The collapse is taken from both sides as drawn; the middle of the frame is the middle of what still stands.
  const double top_shift = shift * (d.top_share - 0.5);
  top_ = Curve(1.4 * a, [&](double u) {
    const double t = std::clamp(u / a, -1.3, 1.3);
    const double healthy = -h * (1 - natural_wedge * (1 - t) / 2) + hollow_top * std::max(0.0, 1 - t * t);
    return healthy + 2 * h * lost(d, t) * d.top_share - top_shift + roughness(u, 0);
  });
  bottom_ = Curve(1.4 * a, [&](double u) {
    const double t = std::clamp(u / a, -1.3, 1.3);
    const double healthy = h * (1 - natural_wedge * (1 - t) / 2) - hollow_bottom * std::max(0.0, 1 - t * t);
    return healthy - 2 * h * lost(d, t) * (1 - d.top_share) - top_shift + roughness(u, 1);
  });

  const double waist_front = sacral ? 0.5 : random.between(0.03, 0.13) * a, waist_back = random.between(0.01, 0.07) * a;
  // Remodelled and aged bodies grow lips at their front corners; a fresh collapse buckles the front wall.
  const double chance_of_lips = d.old ? 0.6 : 0.22;
  const bool lips = random.chance(chance_of_lips) && !sacral;
  const double lip = random.between(0.8, 3.2), lip_up = random.between(0, 1), lip_down = random.between(0, 1);
  const double buckle = fresh ? random.between(0.4, 1.9) : 0, buckle_at = random.between(-0.5, 0.1);
  const double retreat = fresh && d.collapse == Collapse::crush ? random.between(0.3, 2.2) : 0;
  front_ = Curve(1.5 * half_height_, [&](double v) {
    const double s = std::clamp(v / half_height_, -1.2, 1.2);
    double u = -a + waist_front * std::max(0.0, 1 - s * s) + roughness(v, 2) * 0.6;
    u -= buckle * bell((s - buckle_at) / 0.28);
    if (lips) u -= lip * (lip_up * smooth_between(0.55, 1.05, -s) + lip_down * smooth_between(0.55, 1.05, s));
    return u;
  });
  back_ = Curve(1.5 * half_height_, [&](double v) {
    const double s = std::clamp(v / half_height_, -1.2, 1.2);
    return a - waist_back * std::max(0.0, 1 - s * s) + retreat * bell((s + 0.35) / 0.4) + roughness(v, 3) * 0.4;
  });
}

double BodyShape::depth(Point p) const {
  const double plates =
      std::min((p.y - top_.value(p.x)) * top_.shrink(p.x), (bottom_.value(p.x) - p.y) * bottom_.shrink(p.x));
  const double walls =
      std::min((p.x - front_.value(p.y)) * front_.shrink(p.y), (back_.value(p.y) - p.x) * back_.shrink(p.y));
  if (plates >= corner_ || walls >= corner_) return std::min(plates, walls);
  // Two walls meet in an arc.
  const double dx = corner_ - plates, dy = corner_ - walls;
  return corner_ - std::sqrt(dx * dx + dy * dy);
}

Extent BodyShape::extent() const {
  Extent e{1e9, 1e9, -1e9, -1e9};
  const auto add = [&](Point uv) {
    constexpr double kOnSurface = -0.15;  // mm
    if (depth(uv) < kOnSurface) return;
    const Point p = frame_.slice(uv);
    e = {std::min(e.x1, p.x), std::min(e.y1, p.y), std::max(e.x2, p.x), std::max(e.y2, p.y)};
  };
  for (int i = 0; i < Curve::kSamples; ++i) {
    const double u = top_.at(i), v = front_.at(i);
    add({u, top_.value(u)});
    add({u, bottom_.value(u)});
    add({front_.value(v), v});
    add({back_.value(v), v});
  }
  return e;
}

}  // namespace spinert::phantom
