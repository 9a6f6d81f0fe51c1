// posterior.cpp - discs and the posterior arch.
#include "diagnosis/phantom/posterior.h"

#include <algorithm>
#include <cmath>

namespace spinert::phantom {

double Rod::depth(Point p) const {
  const double dx = to.x - from.x, dy = to.y - from.y, length2 = dx * dx + dy * dy;
  const double t = length2 > 0 ? clamp01(((p.x - from.x) * dx + (p.y - from.y) * dy) / length2) : 0;
  const double ox = p.x - from.x - t * dx, oy = p.y - from.y - t * dy;
  return mix(radius_from, radius_to, t) - std::sqrt(ox * ox + oy * oy);
}

void paint_bone_rod(Canvas& canvas, const Rod& rod, const Bone& bone, double rough, Random& random) {
  const uint32_t seed = random.seed();
  const double cortex = bone.cortex * random.between(0.6, 1.0), spongy = bone.spongy * random.between(0.8, 1.4);
  const Point middle{(rod.from.x + rod.to.x) / 2, (rod.from.y + rod.to.y) / 2};
  const double reach = std::sqrt(square(rod.to.x - rod.from.x) + square(rod.to.y - rod.from.y)) / 2 +
                       std::max(rod.radius_from, rod.radius_to) + rough + 1;
  canvas.near(middle, reach, [&](float& hu, Point p) {
    const double depth = rod.depth(p) + rough * noise(seed, p.x / 4, p.y / 4);
    const double cover = canvas.cover(depth, bone.softness);
    if (cover <= 0) return;
    const double shell = 1 - smooth_between(0.5 * bone.shell, 1.5 * bone.shell, depth);
    blend(hu, mix(spongy + bone.texture * noise(seed + 1, p.x / 1.1, p.y / 1.1), cortex, shell), cover);
  });
}

void paint_discs(Canvas& canvas, const Spine& spine, Random& random) {
  for (size_t i = 0; i + 1 < spine.vertebrae.size(); ++i) {
    const Vertebra &above = spine.vertebrae[i], &below = spine.vertebrae[i + 1];
    const Point a = above.frame.slice({0, above.standing_height() / 2});
    const Point b = below.frame.slice({0, -below.standing_height() / 2});
    const Frame frame{{(a.x + b.x) / 2, (a.y + b.y) / 2}, above.frame.turn};
    const double half_depth = 0.5 * std::min(above.depth, below.depth) * random.between(0.98, 1.05);
    const double half_height = above.disc / 2 + 0.18 * above.height, hu_disc = random.between(60, 115);
    const uint32_t seed = random.seed();
    const bool gas = random.chance(0.06);
    const double gas_half = half_depth * random.between(0.3, 0.65), gas_at = half_depth * random.between(-0.25, 0.25);
    const double gas_thick = random.between(0.4, 1.0), gas_hu = random.between(-850, -300);
    canvas.near(frame.centre, half_depth + half_height, [&](float& hu, Point p) {
      const Point q = frame.local(p);
      // A rounded box: bulging in front and behind.
      const double bulge = half_depth - 0.25 * half_height * square(q.y / half_height);
      const double depth = std::min(bulge - std::abs(q.x), half_height - std::abs(q.y));
      if (depth < -1) return;
      blend(hu, hu_disc + 14 * noise(seed, p.x / 2.5, p.y / 2.5), canvas.cover(depth, 0.6));
      if (!gas) return;
      const double s = (q.x - gas_at) / gas_half;
      if (s * s < 1) blend(hu, gas_hu, canvas.cover(gas_thick * std::sqrt(1 - s * s) - std::abs(q.y)));
    });
  }
}

namespace {

void spinous_process(Canvas& canvas, const Spine& spine, const Vertebra& v, const Bone& bone, Random& random) {
  const double root_u = v.depth / 2 + spine.canal + random.between(1, 4),
               root_v = random.between(-0.05, 0.2) * v.height;
  const Rotation droop = rotation(v.droop);
  const double thick = v.level >= kFirstLumbar ? random.between(5.5, 8.5) : random.between(3.0, 4.6);
  const Point root{root_u + thick / 2, root_v};
  const Point tip{root.x + v.process * droop.c, root.y + v.process * droop.s};
  const double root_radius = thick * random.between(0.75, 0.95), tip_radius = thick * random.between(0.85, 1.15);
  paint_bone_rod(canvas, {v.frame.slice(root), v.frame.slice(tip), root_radius, tip_radius}, bone,
                 random.between(0.4, 1.3), random);
}

void pedicle_and_joint(Canvas& canvas, const Vertebra& v, const Bone& bone, Random& random) {
  const double a = v.depth / 2, h = v.standing_height() / 2;
  const double radius = 0.24 * v.height, pillar = a + 9 + 0.12 * v.depth;
  paint_bone_rod(canvas, {v.frame.slice({pillar, -1.15 * h}), v.frame.slice({pillar + 4, 1.2 * h}), 3.2, 4.2}, bone,
                 random.between(0.3, 0.8), random);
  paint_bone_rod(canvas, {v.frame.slice({a, -0.35 * h}), v.frame.slice({pillar, -0.3 * h}), radius, radius * 0.9}, bone,
                 random.between(0.1, 0.5), random);
}

}  // namespace

void paint_posterior(Canvas& canvas, const Spine& spine, const Bone& bone, bool beside_middle, Random& random) {
  for (const Vertebra& v : spine.vertebrae) {
    if (beside_middle && v.level < kSacrum) {
      pedicle_and_joint(canvas, v, bone, random);
      if (v.level >= kFirstThoracic && v.level < kFirstLumbar) {
        const double a = v.depth / 2, h = v.standing_height() / 2;
        const Point head = v.frame.slice({a + random.between(0.5, 3), -h + random.between(-3, 1)});
        paint_bone_rod(canvas, {head, {head.x + 1.5, head.y + 2.5}, 3.4, 3.0}, bone, 0.5, random);
      }
    } else if (v.process > 0 && !random.chance(0.08)) {
      spinous_process(canvas, spine, v, bone, random);
    }
  }
}

}  // namespace spinert::phantom
