// vertebra.cpp - bone, impaction bands, sclerosis, Schmorl's nodes, gas clefts and cement of one body.
#include "diagnosis/phantom/vertebra.h"

#include <algorithm>
#include <vector>

namespace spinert::phantom {
namespace {

constexpr double kGas = -900, kDiscTissue = 85;

// Draws everything at construction, so that one pixel's value depends on its place alone.
class BodyPainter {
 public:
  BodyPainter(const Vertebra& vertebra, const BodyShape& shape, const Bone& bone, Random& random)
      : disease_(vertebra.disease), shape_(shape), bone_(bone), seed_(random.seed()) {
    bone_.cortex *= random.between(0.75, 1.3);
    bone_.spongy *= random.between(0.85, 1.15);
    bone_.spongy += random.between(-10, 10);
    bone_.shell *= random.between(0.85, 1.25);
    vein_ = random.chance(0.3) ? random.between(40, 110) : 0;
    prepare_fracture(random);
    prepare_node(random);
    prepare_cleft(random);
    prepare_cement(random);
  }

  void paint(Canvas& canvas, float& hu, Point p) const {
    double depth = shape_.depth(p);
    if (depth < -6) return;
    double node = -1e9;  // mm into the node
    if (has(disease_.findings, kSn)) {
      const Point q{(p.x - node_at_.x) / node_stretch_, p.y - node_at_.y};
      node = node_radius_ - std::sqrt(q.x * q.x + q.y * q.y) + 0.35 * noise(seed_ + 9, p.x / 1.5, p.y / 1.5);
      if (node > 0 && depth > -1) blend(hu, kDiscTissue, canvas.cover(node) * canvas.cover(depth));
    }
    const double whole = depth;
    depth = std::min(depth, -node);
    const double cover = canvas.cover(depth, bone_.softness);
    if (cover > 0) {
      double inside = bone_at(p, whole);
      if (has(disease_.findings, kSn)) inside += node_rim_ * bell(node / 1.5);
      const double shell = 1 - smooth_between(0.5 * bone_.shell, 1.5 * bone_.shell, depth);
      inside = mix(inside, std::max(inside, shell_hu_), shell);
      if (has(disease_.findings, kKd)) {
        const double gas = cleft_depth(p);
        if (gas < 0) inside += cleft_rim_ * bell(gas / 1.3);
        inside = mix(inside, cleft_hu_, canvas.cover(gas));
      }
      blend(hu, inside, cover);
    }
    if (!cement_.empty()) {
      double most = -1e9;
      for (const Blob& blob : cement_) {
        const double dx = p.x - blob.at.x, dy = p.y - blob.at.y;
        most = std::max(most, blob.radius - std::sqrt(dx * dx + dy * dy));
      }
      most += 0.9 * noise(seed_ + 5, p.x / 2.2, p.y / 2.2);
      if (!leaks_) most = std::min(most, whole - 0.5);
      blend(hu, cement_hu_ * (1 + 0.06 * noise(seed_ + 6, p.x / 1.2, p.y / 1.2)), canvas.cover(most));
    }
  }

 private:
  struct Blob {
    Point at;
    double radius;
  };

  void prepare_fracture(Random& random) {
    shell_hu_ = bone_.cortex;
    band_from_top_ = disease_.top_share >= 0.5;
    band_place_ = random.between(0.25, 0.55);
    band_width_ = random.between(0.9, 2.0);
    band_wave_ = random.between(0.8, 2.2);
    const double gain = random.between(150, 330);
    band_gain_ = has(disease_.findings, kOvcf) ? gain : 0;
    line_gain_ = has(disease_.findings, kOvcf) && random.chance(0.35) ? random.between(60, 190) : 0;
    // Cement and screws come late: impaction has faded by then.
    if (has(disease_.findings, kPs)) band_gain_ *= 0.3;
    const double dense = random.between(110, 300);
    sclerosis_ = disease_.old ? dense : has(disease_.findings, kKd) ? 0.25 * dense : 0;
    if (disease_.old) shell_hu_ *= random.between(0.65, 0.95);
  }

  void prepare_node(Random& random) {
    node_radius_ = std::min(random.between(2.4, 5.0), 0.36 * shape_.half_height());
    node_stretch_ = random.between(0.9, 1.5);
    const double u = random.between(-0.45, 0.5) * shape_.half_depth();
    const double sunk = random.between(0.2, 0.75) * node_radius_;
    node_at_ = {u, disease_.node_above ? shape_.top(u) + sunk : shape_.bottom(u) - sunk};
    node_rim_ = random.between(100, 330);
  }

  void prepare_cleft(Random& random) {
    const double a = shape_.half_depth();
    cleft_half_ = random.between(0.32, 0.68) * a;
    cleft_centre_ = random.between(-0.3, 0.15) * a;
    cleft_share_ = random.between(0.32, 0.6);
    const double room = shape_.bottom(cleft_centre_) - shape_.top(cleft_centre_);
    cleft_thick_ = std::min(random.between(0.9, 2.1), 0.2 * room);
    cleft_wave_ = std::min(1.6, 0.1 * room);
    cleft_hu_ = mix(-350, kGas, random.uniform());
    cleft_rim_ = random.between(60, 220);
  }
  // mm into the cleft.
  double cleft_depth(Point p) const {
    const double s = (p.x - cleft_centre_) / cleft_half_;
    const double middle = mix(shape_.top(p.x), shape_.bottom(p.x), cleft_share_) +
                          cleft_wave_ * noise(seed_ + 7, p.x / (0.55 * cleft_half_));
    const double off = p.y - middle, swell = 1 + 0.35 * noise(seed_ + 8, p.x / 2.5);
    if (s * s >= 1) return -std::sqrt(square((std::max(s, -s) - 1) * cleft_half_) + off * off);
    const double half = cleft_thick_ * swell * std::sqrt(std::sqrt(1 - s * s));
    return half - (off < 0 ? -off : off);
  }

  void prepare_cement(Random& random) {
    const int blobs = random.whole(1, 4);
    const double h = shape_.half_height();
    Point at{random.between(-0.35, 0.25) * shape_.half_depth(), random.between(-0.25, 0.25) * h};
    const double largest = std::min(random.between(3.2, 7.0), 0.62 * h);
    cement_hu_ = random.between(1500, 3000);
    leaks_ = random.chance(0.12);
    std::vector<Blob> drawn;
    for (int i = 0; i < blobs; ++i) {
      drawn.push_back({at, largest * (i == 0 ? 1 : random.between(0.45, 0.95))});
      at.x =
          std::clamp(at.x + random.between(-0.9, 0.9) * largest, -0.6 * shape_.half_depth(), 0.5 * shape_.half_depth());
      at.y = std::clamp(at.y + random.between(-0.6, 0.6) * largest, -0.5 * h, 0.5 * h);
    }
    if (has(disease_.findings, kPs) && !disease_.screw) cement_ = drawn;
  }

  // HU of trabecular bone `whole` mm below the surface of the whole body.
  double bone_at(Point p, double whole) const {
    // Trabeculae run up and down: longer than wide.
    const double strands = 0.6 * noise(seed_, p.x / 0.9, p.y / 2.0) + 0.4 * noise(seed_ + 1, p.x / 0.55, p.y / 1.1);
    double hu = bone_.spongy + bone_.texture * (strands + 0.3 * noise(seed_ + 2, p.x / 5, p.y / 5));
    // Denser towards the endplates, as loaded bone is.
    hu += 35 * bell(std::max(0.0, whole) / 3.5);
    if (vein_ > 0) hu -= vein_ * bell(p.y / 1.3) * smooth_between(0.1, 0.9, p.x / shape_.half_depth());
    const double top = shape_.top(p.x), bottom = shape_.bottom(p.x);
    if (sclerosis_ > 0) {
      const double near = std::min(p.y - top, bottom - p.y);
      hu += sclerosis_ * (0.35 + 0.65 * bell(near / 4.5) + 0.15 * noise(seed_ + 3, p.x / 3, p.y / 3));
    }
    if (band_gain_ > 0) {
      const double share = band_from_top_ ? band_place_ : 1 - band_place_;
      const double middle = mix(top, bottom, share) + band_wave_ * noise(seed_ + 4, p.x / 4.5);
      const double off = (p.y - middle) / band_width_;
      const double along = 0.8 + 0.35 * noise(seed_ + 10, p.x / 5);
      hu += band_gain_ * along * bell(off);
      // Bone between the band and the collapsed endplate is packed as well.
      const double packed = band_from_top_ ? smooth_between(0, 2, middle - p.y) : smooth_between(0, 2, p.y - middle);
      hu += 0.22 * band_gain_ * packed;
      if (line_gain_ > 0) hu -= line_gain_ * bell((off * band_width_ + (band_from_top_ ? 2.2 : -2.2)) / 0.5);
    }
    return hu;
  }

  const Disease& disease_;
  const BodyShape& shape_;
  Bone bone_;
  uint32_t seed_;
  double shell_hu_ = 0, vein_ = 0, sclerosis_ = 0;
  bool band_from_top_ = true, leaks_ = false;
  double band_place_ = 0, band_width_ = 1, band_wave_ = 0, band_gain_ = 0, line_gain_ = 0;
  Point node_at_;
  double node_radius_ = 0, node_stretch_ = 1, node_rim_ = 0;
  double cleft_half_ = 1, cleft_centre_ = 0, cleft_share_ = 0.5, cleft_thick_ = 1, cleft_wave_ = 0, cleft_hu_ = 0,
         cleft_rim_ = 0;
  std::vector<Blob> cement_;
  double cement_hu_ = 0;
};

}  // namespace

Bone make_bone(Random& random) {
  Bone bone;
  const double density = random.uniform();  // 0: osteoporosis
  bone.spongy = mix(55, 240, density);
  bone.cortex = mix(480, 1150, density) * random.between(0.85, 1.15);
  bone.shell = random.between(0.55, 1.15);
  bone.texture = random.between(15, 65);
  bone.softness = random.between(0, 0.7);
  return bone;
}

void paint_body(Canvas& canvas, const Vertebra& vertebra, const BodyShape& shape, const Bone& bone, Random& random) {
  const BodyPainter painter(vertebra, shape, bone, random);
  const double a = shape.half_depth() + 5, h = shape.half_height() + 5;
  canvas.near(vertebra.frame.centre, std::sqrt(a * a + h * h),
              [&](float& hu, Point p) { painter.paint(canvas, hu, vertebra.frame.local(p)); });
}

}  // namespace spinert::phantom
