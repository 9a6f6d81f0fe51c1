// tissue.cpp - paints the compartments of tissue_rows.h pixel by pixel, then organs and vessels over them.
#include "diagnosis/phantom/tissue.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/phantom/posterior.h"
#include "diagnosis/phantom/tissue_rows.h"

namespace spinert::phantom {
namespace {

constexpr double kAir = -1000, kFat = -95, kMuscle = 52, kWater = 12;

struct Ellipse {
  Frame frame;
  double half_width, half_height;
  // About right in mm near the edge, positive inside.
  double depth(Point p) const {
    const Point q = frame.local(p);
    const double r = std::sqrt(square(q.x / half_width) + square(q.y / half_height));
    return (1 - r) * std::min(half_width, half_height);
  }
  double reach() const { return std::max(half_width, half_height) + 1; }
};

class TissuePainter {
 public:
  TissuePainter(Canvas& canvas, const Spine& spine, const Bone& bone, Random& random)
      : canvas_(canvas),
        spine_(spine),
        bone_(bone),
        random_(random),
        seed_(random.seed()),
        tissue_(make_tissue_rows(canvas, spine, random)) {
    lung_ = random.chance(0.55);
    lung_hu_ = random.between(-900, -780);
    fat_back_ = random.between(4, 22);
    fat_front_ = random.between(6, 32);
    fatty_muscle_ = random.between(0, 1);
    beside_spine_ = random.between(2, 9);
    dome_ = random.between(15, 55);
    contrast_ = random.chance(0.3) ? random.between(120, 330) : random.between(30, 55);
  }

  void paint() {
    for (int y = 0; y < canvas_.height; ++y) {
      float* row = canvas_.row(y);
      for (int x = 0; x < canvas_.width; ++x) {
        row[x] = static_cast<float>(base({canvas_.mm(x), canvas_.mm(y)}, tissue_.rows[static_cast<size_t>(y)]));
      }
    }
    chest();
    abdomen();
    aorta();
    airway();
    breastbone();
    cut_at_skin();
    table();
  }

 private:
  double fine(double x, double y, uint32_t salt, double grain) const {
    return noise(seed_ + salt, x / grain, y / grain);
  }
  // mm below the diaphragm, negative above; it rises in front of the spine.
  double below_diaphragm(Point p, const TissueRow& row) const {
    const double ahead = row.front - p.x;
    return p.y -
           (tissue_.diaphragm - dome_ * smooth_between(0, 75, ahead) + 0.3 * dome_ * smooth_between(90, 160, ahead));
  }
  // mm into the chest's cavity.
  double in_chest(Point p, const TissueRow& row) const {
    const double edge = beside_spine_ * (1 + 0.5 * noise(seed_ + 1, p.y / 22));
    const double behind = row.front - edge - p.x, before = p.x - row.skin_front - fat_front_ - 14;
    const double above = -below_diaphragm(p, row), below = p.y - tissue_.apex - 0.25 * std::max(0.0, behind);
    return std::min(std::min(behind, before), std::min(above, below));
  }

  double base(Point p, const TissueRow& row) const {
    double hu = kMuscle + 7 * fine(p.x, p.y, 2, 9) + 5 * fine(p.x, p.y, 3, 2.5);
    const double below = below_diaphragm(p, row);
    // The abdomen's fat holds its organs; a wall of muscle closes it in front.
    const double wall = p.x - row.skin_front - fat_front_ - 9;
    const double cavity = std::min(std::min(row.front - 7 - p.x, wall), below - 4);
    hu = mix(hu, kFat + 22 * fine(p.x, p.y, 4, 13) + 12 * fine(p.x, p.y, 5, 5), canvas_.cover(cavity, 3));
    if (lung_) {
      const double chest = in_chest(p, row);
      hu = mix(hu, lung_hu_ + 25 * fine(p.x, p.y, 6, 18), canvas_.cover(chest, 1.5));
    }
    // Behind the canal: muscle that age turns to fat, streak by streak.
    const double behind = p.x - row.canal_back;
    if (behind > 0) {
      const double streaks = smooth_between(0.35, 0.75, 0.5 + 0.5 * noise(seed_ + 7, p.x / 3.5, p.y / 16));
      hu = mix(hu, kFat + 30, streaks * fatty_muscle_ * 0.55);
    }
    const double canal = std::min(p.x - row.canal_front, row.canal_back - p.x);
    if (canal > -2) {
      hu = mix(hu, -70, canvas_.cover(canal, 0.5) * 0.7);
      hu = mix(hu, kWater + 6 * fine(p.x, p.y, 8, 4), canvas_.cover(canal - 1.6, 0.5));
      hu = mix(hu, 40, canvas_.cover(canal - 4.2, 0.8) * 0.9);
    }
    const double fat_back = row.skin_back - fat_back_ - 2.5 * noise(seed_ + 9, p.y / 12),
                 fat_front = row.skin_front + fat_front_;
    hu = mix(hu, kFat + 8 * fine(p.x, p.y, 10, 6), canvas_.cover(std::max(p.x - fat_back, fat_front - p.x), 1.5));
    return hu;
  }

  void fill(const Ellipse& e, double hu, double texture, double softness, double limit_front = -1e9) {
    const uint32_t salt = random_.seed();
    canvas_.near(e.frame.centre, e.reach(), [&](float& value, Point p) {
      if (p.x < limit_front) return;
      const double depth = e.depth(p) + 1.5 * noise(salt, p.x / 14, p.y / 14);
      const double cover = canvas_.cover(depth, softness);
      if (cover > 0) blend(value, hu + texture * noise(salt + 1, p.x / 3, p.y / 3), cover);
    });
  }
  const TissueRow& row_at(double y) const {
    const int i = std::clamp(floor_int(y / canvas_.spacing), 0, canvas_.height - 1);
    return tissue_.rows[static_cast<size_t>(i)];
  }
  Ellipse ellipse(Point centre, double w, double h, double tilt) const { return {{centre, rotation(tilt)}, w, h}; }

  // Vessels across the lung, or heart and great vessels between the lungs.
  void chest() {
    const double low = tissue_.diaphragm, high = tissue_.apex;
    if (lung_) {
      const int vessels = random_.whole(8, 22);
      for (int i = 0; i < vessels; ++i) {
        const double y = random_.between(high + 20, low), ahead = random_.between(12, 120);
        const Point at{row_at(y).front - ahead, y};
        const double thick = random_.between(1, 4.5), length = thick * random_.between(1, 5),
                     tilt = random_.between(-80, 80);
        if (in_chest(at, row_at(y)) < thick + 4) continue;
        fill(ellipse(at, thick, length, tilt), contrast_ * 0.8, 5, 0.5);
      }
      if (!random_.chance(0.5)) return;
    }
    const double y = low - random_.between(45, 85), ahead = random_.between(62, 88);
    const double half_width = random_.between(30, 45), half_height = random_.between(38, 58),
                 tilt = random_.between(-25, 25);
    if (y < high + 30) return;
    const Point at{row_at(y).front - ahead, y};
    fill(ellipse(at, half_width, half_height, tilt), contrast_, 6, 2, row_at(y).skin_front + fat_front_ + 10);
  }

  void abdomen() {
    const double top = tissue_.diaphragm;
    const int organs = random_.whole(7, 15);
    for (int i = 0; i < organs; ++i) {
      const double y = top + random_.between(5, 260), ahead = random_.between(18, 125), size = random_.between(7, 30);
      const double shape = random_.between(0.5, 1.6), tilt = random_.between(-80, 80), kind = random_.uniform();
      const double hu = kind < 0.7    ? random_.between(35, 75)
                        : kind < 0.85 ? random_.between(0, 20)
                                      : random_.between(90, 210);
      fill_organ(ellipse({row_at(y).front - ahead, y}, size, size * shape, tilt), hu);
    }
    // The liver under the diaphragm.
    if (random_.chance(0.7)) {
      const double ahead = random_.between(60, 85), w = random_.between(38, 55), h = random_.between(32, 60);
      const double hu = random_.between(50, 110), y = top - 0.6 * dome_ + h * 0.85;
      fill_organ(ellipse({row_at(y).front - ahead, y}, w, h, random_.between(-20, 20)), hu);
    }
    const int loops = random_.whole(0, 6);
    for (int i = 0; i < loops; ++i) {
      const double y = top + random_.between(40, 250), ahead = random_.between(35, 120), size = random_.between(5, 16);
      const double shape = random_.between(0.6, 1.8), tilt = random_.between(-60, 60);
      const Point at{row_at(y).front - ahead, y};
      fill_organ(ellipse(at, size + 2.2, size * shape + 2.2, tilt), 45);
      fill_organ(ellipse(at, size, size * shape, tilt), -920);
    }
  }
  // Organs end at the diaphragm and at the wall of the abdomen.
  void fill_organ(const Ellipse& e, double hu) {
    const uint32_t salt = random_.seed();
    canvas_.near(e.frame.centre, e.reach(), [&](float& value, Point p) {
      const TissueRow& row = row_at(p.y);
      const double inside = std::min(below_diaphragm(p, row) - 2, p.x - row.skin_front - fat_front_ - 9);
      const double depth =
          std::min(std::min(e.depth(p) + 1.2 * noise(salt, p.x / 12, p.y / 12), inside), row.front - 5 - p.x);
      const double cover = canvas_.cover(depth, 0.8);
      if (cover > 0) blend(value, hu + 8 * noise(salt + 1, p.x / 3, p.y / 3), cover);
    });
  }

  double centre(int level) const { return spine_.vertebrae[static_cast<size_t>(level)].frame.centre.y; }

  // visit(hu, place, middle line's x, mm into the tube) for the pixels near a tube with round ends that runs down the
  // slice from one y to another.
  template <class Middle, class Visit>
  void along_tube(double from, double to, double radius, Middle middle_at, Visit visit) {
    constexpr double kNear = 3;  // mm outside
    for (int i = 0; i < canvas_.height; ++i) {
      const double y = canvas_.mm(i), beyond = std::max({0.0, from + radius - y, y - to + radius});
      if (beyond > radius + kNear) continue;
      const double middle = middle_at(y);
      float* row = canvas_.row(i);
      for (int x = 0; x < canvas_.width; ++x) {
        const double depth = radius - std::sqrt(square(canvas_.mm(x) - middle) + beyond * beyond);
        if (depth > -kNear) visit(row[x], Point{canvas_.mm(x), y}, middle, depth);
      }
    }
  }

  // Down the front of the spine from the mid chest to L4, with plaques in its walls.
  void aorta() {
    if (random_.chance(0.35)) return;
    const double radius = random_.between(8, 14), gap = random_.between(2, 9);
    const double from = centre(kFirstThoracic + 4) + random_.between(0, 60);
    const double to = centre(kFirstLumbar + 3) + random_.between(-70, 20);
    const bool old = random_.chance(0.45);
    const double plaque_hu = random_.between(350, 1000);
    const uint32_t salt = random_.seed();
    const auto middle_at = [&](double y) { return row_at(y).front - gap - radius - 3 * (1 + noise(salt, y / 60)); };
    along_tube(from, to, radius, middle_at, [&](float& hu, Point p, double middle, double depth) {
      blend(hu, contrast_ + 4 * noise(salt + 1, p.x / 3, p.y / 3), canvas_.cover(depth, 1));
      if (!old || std::abs(p.x - middle) < 0.8 * radius) return;
      const uint32_t side = salt + (p.x < middle ? 2 : 3);
      blend(hu, plaque_hu, canvas_.cover(std::min(0.9 - std::abs(depth), 4 * (noise(side, p.y / 5) - 0.3))));
    });
  }

  void airway() {
    if (lung_ && random_.chance(0.6)) return;
    const double end = centre(kFirstThoracic + 4), radius = random_.between(6.5, 9.5), gap = random_.between(6, 13);
    const uint32_t salt = random_.seed();
    const auto middle_at = [&](double y) {
      const double lean = 0.22 * std::max(0.0, y - centre(kFirstThoracic) + 20);
      return row_at(y).front - gap - radius - std::min(lean, 25.0) + 1.5 * noise(salt, y / 25);
    };
    along_tube(-1e3, end, radius, middle_at, [&](float& hu, Point, double, double depth) {
      blend(hu, 70, canvas_.cover(depth + 1.8));
      blend(hu, -985, canvas_.cover(depth));
    });
  }

  // A chain of flat bones along the front wall of the chest.
  void breastbone() {
    if (random_.chance(0.3)) return;
    double y = centre(kFirstThoracic + 2) + random_.between(-10, 10);
    const double end = centre(kFirstThoracic + 8), thick = random_.between(4, 6.5);
    while (y < end) {
      const double length = random_.between(18, 38);
      const double inset = fat_front_ + thick + 3;
      const Point a{row_at(y).skin_front + inset, y}, b{row_at(y + length).skin_front + inset, y + length};
      const double x_change = std::abs(b.x - a.x);
      if (x_change < length) paint_bone_rod(canvas_, {a, b, thick, thick * 0.85}, bone_, 0.5, random_);
      y += length + 2 * thick + random_.between(1, 4);
    }
  }

  void cut_at_skin() {
    for (int i = 0; i < canvas_.height; ++i) {
      const TissueRow& edges = tissue_.rows[static_cast<size_t>(i)];
      float* row = canvas_.row(i);
      for (int x = 0; x < canvas_.width; ++x) {
        const double mm = canvas_.mm(x), inside = std::min(mm - edges.skin_front, edges.skin_back - mm);
        if (inside > 3) continue;
        blend(row[x], 25, canvas_.cover(1.6 - inside, 0.5) * 0.8);
        blend(row[x], kAir, 1 - canvas_.cover(inside));
      }
    }
  }

  // A flat shell filled with foam, as seen from the side.
  void table() {
    if (random_.chance(0.45)) return;
    double back = -1e9;
    for (const TissueRow& row : tissue_.rows) back = std::max(back, row.skin_back);
    const double at = back + random_.between(3, 14), thick = random_.between(14, 40), shell = random_.between(0.7, 1.5);
    const double lean = random_.between(-0.01, 0.01), hu = random_.between(-350, 150);
    for (int i = 0; i < canvas_.height; ++i) {
      float* row = canvas_.row(i);
      for (int x = 0; x < canvas_.width; ++x) {
        const double into = canvas_.mm(x) - at - lean * canvas_.mm(i);
        blend(row[x], -940, canvas_.cover(std::min(into, thick - into)));
        blend(row[x], hu, canvas_.cover(shell - std::abs(into)));
        blend(row[x], hu, canvas_.cover(shell - std::abs(into - thick)));
      }
    }
  }

  Canvas& canvas_;
  const Spine& spine_;
  const Bone& bone_;
  Random& random_;
  uint32_t seed_;
  TissueRows tissue_;
  bool lung_ = true;
  double lung_hu_ = 0, fat_back_ = 0, fat_front_ = 0, fatty_muscle_ = 0, beside_spine_ = 0, dome_ = 0, contrast_ = 0;
};

}  // namespace

void paint_tissue(Canvas& canvas, const Spine& spine, const Bone& bone, Random& random) {
  TissuePainter(canvas, spine, bone, random).paint();
}

}  // namespace spinert::phantom
