// tissue_rows.cpp - the compartments follow the spine: closely at the canal, loosely at the skin.
#include "diagnosis/phantom/tissue_rows.h"

#include <algorithm>

namespace spinert::phantom {
namespace {

struct Along {
  double x, half_depth;
};

// Of the spine at a height, between the centres of the bodies above and below.
Along spine_at(const Spine& spine, double y) {
  const std::vector<Vertebra>& all = spine.vertebrae;
  if (y <= all.front().frame.centre.y) return {all.front().frame.centre.x, all.front().depth / 2};
  for (size_t i = 1; i < all.size(); ++i) {
    const Vertebra &above = all[i - 1], &below = all[i];
    if (below.frame.centre.y <= above.frame.centre.y || y > below.frame.centre.y) continue;
    const double t = (y - above.frame.centre.y) / (below.frame.centre.y - above.frame.centre.y);
    return {mix(above.frame.centre.x, below.frame.centre.x, clamp01(t)), mix(above.depth, below.depth, clamp01(t)) / 2};
  }
  return {all.back().frame.centre.x, all.back().depth / 2};
}

// Mean of the rows within `reach` of each row.
std::vector<double> smoothed(const std::vector<double>& values, int reach) {
  const int n = static_cast<int>(values.size());
  std::vector<double> sums(values.size() + 1, 0.0), out;
  for (size_t i = 0; i < values.size(); ++i) sums[i + 1] = sums[i] + values[i];
  for (int i = 0; i < n; ++i) {
    const int low = std::max(0, i - reach), high = std::min(n, i + reach + 1);
    out.push_back((sums[static_cast<size_t>(high)] - sums[static_cast<size_t>(low)]) / (high - low));
  }
  return out;
}

double centre_y(const Spine& spine, int level) {
  return spine.vertebrae[static_cast<size_t>(level)].frame.centre.y;
}

}  // namespace

TissueRows make_tissue_rows(const Canvas& canvas, const Spine& spine, Random& random) {
  std::vector<double> x, half_depth;
  for (int y = 0; y < canvas.height; ++y) {
    const Along along = spine_at(spine, canvas.mm(y));
    x.push_back(along.x);
    half_depth.push_back(along.half_depth);
  }
  const auto rows_of = [&](double mm) { return static_cast<int>(mm / canvas.spacing); };
  const std::vector<double> near = smoothed(smoothed(x, rows_of(7)), rows_of(7));
  const std::vector<double> far = smoothed(smoothed(x, rows_of(45)), rows_of(45));
  const std::vector<double> half = smoothed(half_depth, rows_of(10));

  TissueRows tissue;
  tissue.apex = centre_y(spine, kFirstThoracic) - random.between(0, 18);
  tissue.diaphragm = centre_y(spine, kFirstThoracic + 10) + random.between(-25, 30);
  const double back = random.between(40, 72), front = random.between(120, 215);
  const double neck_front = random.between(48, 66), belly = random.between(-25, 45);
  const double belly_y = centre_y(spine, kFirstLumbar + 2), neck_y = centre_y(spine, kFirstThoracic);
  const double tail = centre_y(spine, kLevels - 1), canal_end = centre_y(spine, kSacrum);
  const uint32_t wave = random.seed();
  for (int i = 0; i < canvas.height; ++i) {
    const auto k = static_cast<size_t>(i);
    const double y = canvas.mm(i);
    TissueRow row;
    row.spine = near[k];
    // Below the sacrum the pelvis reaches further back; the canal ends in the sacrum.
    row.front = near[k] - half[k] + 40 * smooth_between(0, 90, y - tail) + 3 * noise(wave + 3, y / 30);
    row.canal_front = near[k] + half[k] + 1;
    row.canal_back = mix(row.canal_front + spine.canal - 2, row.canal_front - 6, smooth_between(canal_end, tail, y));
    row.neck = 1 - smooth_between(neck_y - 25, neck_y + 55, y);
    row.skin_back = far[k] + half[k] + spine.canal + back + 5 * noise(wave, y / 45) + 1.2 * noise(wave + 1, y / 14);
    const double trunk = front + belly * bell((y - belly_y) / 90);
    row.skin_front = far[k] - mix(trunk, neck_front, row.neck) + 6 * noise(wave + 2, y / 50);
    tissue.rows.push_back(row);
  }
  return tissue;
}

}  // namespace spinert::phantom
