#include "tests/support/known_bodies.h"

#include <algorithm>
#include <cmath>

#include "diagnosis/phantom/artefacts.h"
#include "diagnosis/phantom/ct_noise.h"
#include "diagnosis/phantom/posterior.h"
#include "diagnosis/phantom/tissue.h"
#include "diagnosis/phantom/vertebra.h"

namespace spinert {
namespace {

using phantom::Random;
using phantom::Stream;

constexpr double kStation = 0.7, kInner = 0.6;

KnownBody known_body(const phantom::Vertebra& vertebra, const phantom::BodyShape& shape, const phantom::Extent& extent,
                     double spacing) {
  KnownBody body;
  body.disease = vertebra.disease;
  body.box = {static_cast<float>(extent.x1 / spacing), static_cast<float>(extent.y1 / spacing),
              static_cast<float>(extent.x2 / spacing), static_cast<float>(extent.y2 / spacing)};
  const auto height = [&](double place) {
    const double u = place * shape.half_depth();
    return shape.bottom(u) - shape.top(u);
  };
  body.anterior_mm = height(-kStation);
  body.middle_mm = height(0);
  body.posterior_mm = height(kStation);
  return body;
}

double mean_hu(const phantom::Canvas& canvas, const phantom::Vertebra& vertebra, const phantom::BodyShape& shape) {
  double sum = 0;
  int count = 0;
  for (int y = 0; y < canvas.height; ++y) {
    for (int x = 0; x < canvas.width; ++x) {
      const phantom::Point p = vertebra.frame.local({canvas.mm(x), canvas.mm(y)});
      if (std::abs(p.x) > kInner * shape.half_depth() || std::abs(p.y) > 30) continue;
      const double top = shape.top(p.x), bottom = shape.bottom(p.x), rim = 0.5 * (1 - kInner) * (bottom - top);
      if (p.y < top + rim || p.y > bottom - rim) continue;
      sum += static_cast<double>(canvas.row(y)[x]);
      ++count;
    }
  }
  return sum / std::max(1, count);
}

}  // namespace

KnownSlice known_slice(uint64_t seed, uint64_t number) {
  Random size(seed, number, Stream::picture), anatomy(seed, number, Stream::spine);
  Random illness(seed, number, Stream::disease), around(seed, number, Stream::tissue);
  Random scanner(seed, number, Stream::noise);
  const auto sets = phantom::finding_sets({});
  if (!sets.ok()) return {};
  const bool screws = illness.chance(0.35);
  std::vector<phantom::Disease> diseases;
  for (const phantom::Findings set : phantom::draw_findings(sets.value(), phantom::kSacrum, screws, illness)) {
    diseases.push_back(phantom::make_disease(set, screws, illness));
  }
  const double spacing = size.between(0.42, 0.72);
  phantom::Canvas canvas(size.whole(380, 700), size.whole(480, 900), spacing);
  const double width_mm = canvas.width * spacing, height_mm = canvas.height * spacing;
  const phantom::Spine spine = phantom::make_spine(width_mm, height_mm, diseases, anatomy);
  const phantom::Bone bone = phantom::make_bone(anatomy);
  phantom::paint_tissue(canvas, spine, bone, around);
  phantom::paint_discs(canvas, spine, anatomy);
  phantom::paint_posterior(canvas, spine, bone, screws, anatomy);

  KnownSlice slice;
  std::vector<std::pair<size_t, phantom::BodyShape>> whole;
  for (size_t i = 0; i < spine.vertebrae.size(); ++i) {
    const phantom::Vertebra& v = spine.vertebrae[i];
    Random own(anatomy.bits(), static_cast<uint64_t>(v.level), Stream::spine);
    const phantom::BodyShape shape(v, own);
    phantom::paint_body(canvas, v, shape, bone, own);
    const phantom::Extent e = shape.extent();
    if (v.level >= phantom::kSacrum || e.x1 < 0 || e.y1 < 0 || e.x2 > width_mm || e.y2 > height_mm) continue;
    slice.bodies.push_back(known_body(v, shape, e, spacing));
    whole.emplace_back(i, shape);
  }
  phantom::paint_screws(canvas, spine, anatomy);
  for (size_t b = 0; b < whole.size(); ++b) {
    slice.bodies[b].mean_hu = mean_hu(canvas, spine.vertebrae[whole[b].first], whole[b].second);
  }
  phantom::add_artefacts(canvas, spine.vertebrae[phantom::kFirstThoracic].frame.centre.y, scanner);
  phantom::blur(canvas, scanner);
  phantom::add_noise(canvas, scanner);

  slice.picture.plane = {canvas.width, canvas.height, {0, 0, 0}, {0, spacing, 0}, {0, 0, -spacing}};
  for (const float hu : canvas.hu) {
    slice.picture.hu.push_back(static_cast<int16_t>(std::lround(std::clamp(hu, -1023.0f, 3071.0f))));
  }
  return slice;
}

}  // namespace spinert
