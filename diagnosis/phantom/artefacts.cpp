// artefacts.cpp - each artefact is drawn or left out by chance, metal streaks always where there is metal.
#include "diagnosis/phantom/artefacts.h"

#include <cmath>

#include "diagnosis/phantom/filter.h"

namespace spinert::phantom {
namespace {

constexpr double kMetalHu = 2300;  // cement shadows little, screws much

// Rows through metal: bright and dark lines that fade with the distance from it.
void streaks(Canvas& canvas, Random& random) {
  const double strength = random.between(120, 320), fade = random.between(14, 35);
  const uint32_t seed = random.seed();
  for (int y = 0; y < canvas.height; ++y) {
    float* row = canvas.row(y);
    double mass = 0;
    int first = -1, last = -1;
    for (int x = 0; x < canvas.width; ++x) {
      if (static_cast<double>(row[x]) < kMetalHu) continue;
      mass += canvas.spacing * (static_cast<double>(row[x]) - kMetalHu) / 1000;
      if (first < 0) first = x;
      last = x;
    }
    if (first < 0) continue;
    const double size = strength * mass / (mass + 25);
    const double line = noise(seed, y / 1.6) - 0.35;
    for (int x = 0; x < canvas.width; ++x) {
      const int away = x < first ? first - x : x > last ? x - last : 0;
      const double ripple = 0.75 + 0.25 * noise(seed + 1, canvas.mm(x) / 6, y / 2.0);
      row[x] += static_cast<float>(size * line * ripple / (1 + away * canvas.spacing / fade));
    }
  }
}

// Slow shading: dark where much bone or body lies in the beam, bright towards the skin.
void hardening(Canvas& canvas, Random& random) {
  const double depth = random.between(8, 40), at = random.between(0.35, 0.65) * canvas.width * canvas.spacing;
  const double reach = random.between(60, 110);
  const uint32_t seed = random.seed();
  for (int y = 0; y < canvas.height; ++y) {
    float* row = canvas.row(y);
    const double line = depth * (1 + 0.3 * noise(seed, canvas.mm(y) / 40));
    for (int x = 0; x < canvas.width; ++x) {
      row[x] -= static_cast<float>(line * (bell((canvas.mm(x) - at) / reach) - 0.5));
    }
  }
}

void shoulder_noise(Canvas& canvas, double shoulders, Random& random) {
  const double strength = random.between(25, 90);
  const uint32_t seed = random.seed();
  for (int y = 0; y < canvas.height; ++y) {
    const double share = bell((canvas.mm(y) - shoulders + 20) / 28);
    if (share < 0.02) continue;
    float* row = canvas.row(y);
    for (int x = 0; x < canvas.width; ++x) {
      row[x] += static_cast<float>(strength * share * noise(seed, canvas.mm(x) / 35, y / 1.3));
    }
  }
}

// The patient moved while some of the axial slices were taken: a faint second contour, a little to the side.
void motion(Canvas& canvas, Random& random) {
  const double from = random.between(0, 0.8) * canvas.height, rows = random.between(0.08, 0.4) * canvas.height;
  const double ghost = random.between(0.15, 0.32), moved = random.between(1, 3.5) / canvas.spacing;
  const int shift = std::max(1, floor_int(moved));
  std::vector<float> line(static_cast<size_t>(canvas.width));
  for (int y = 0; y < canvas.height; ++y) {
    const double share = ghost * smooth_between(0, 0.25, std::min(y - from, from + rows - y) / rows);
    if (share <= 0) continue;
    float* row = canvas.row(y);
    std::copy(row, row + canvas.width, line.begin());
    for (int x = 0; x < canvas.width; ++x) {
      const int other = std::min(canvas.width - 1, x + shift);
      blend(row[x], static_cast<double>(line[static_cast<size_t>(other)]), share);
    }
  }
}

}  // namespace

void add_artefacts(Canvas& canvas, double shoulders, Random& random) {
  streaks(canvas, random);
  if (random.chance(0.6)) hardening(canvas, random);
  if (shoulders > -40 && random.chance(0.6)) shoulder_noise(canvas, shoulders, random);
  if (random.chance(0.15)) motion(canvas, random);
}

void blur(Canvas& canvas, Random& random) {
  const double spot = random.between(0.22, 0.55),
               thickness = random.chance(0.7) ? random.between(0.5, 1.25) : random.between(1.25, 3);
  // A box of the slice's thickness has a variance of a twelfth of its square.
  const double along = std::sqrt(spot * spot + thickness * thickness / 12);
  filter_rows(canvas.hu, canvas.width, canvas.height, gaussian_weights(spot / canvas.spacing));
  filter_columns(canvas.hu, canvas.width, canvas.height, gaussian_weights(along / canvas.spacing));
}

}  // namespace spinert::phantom
