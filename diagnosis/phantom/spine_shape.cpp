// spine_shape.cpp - the chain of vertebrae, laid along its own curve, then turned and moved into the slice.
#include "diagnosis/phantom/spine_shape.h"

#include <algorithm>

namespace spinert::phantom {
namespace {

// Typical adult sizes in mm, and degrees by which each body is turned against the one above (positive: lordosis).
struct LevelSize {
  const char* name;
  double depth, height, disc, turn, process, droop;
};
constexpr LevelSize kSize[kLevels] = {
    {"C3", 16.0, 13.5, 5.0, 0, 12, 25},   {"C4", 16.0, 13.2, 5.0, 4, 12, 25},   {"C5", 16.2, 13.0, 5.0, 4, 14, 25},
    {"C6", 16.6, 13.2, 5.2, 4, 18, 25},   {"C7", 17.0, 14.4, 5.0, 4, 26, 25},   {"T1", 17.6, 15.8, 4.4, 1, 28, 25},
    {"T2", 18.8, 17.0, 4.0, -3, 28, 35},  {"T3", 20.2, 17.8, 3.8, -4, 28, 42},  {"T4", 21.8, 18.4, 3.8, -4, 28, 48},
    {"T5", 23.4, 19.0, 3.8, -5, 28, 54},  {"T6", 25.0, 19.8, 4.0, -5, 28, 56},  {"T7", 26.4, 20.4, 4.2, -5, 27, 56},
    {"T8", 27.6, 21.0, 4.6, -5, 26, 54},  {"T9", 28.6, 21.8, 4.8, -4, 25, 48},  {"T10", 29.4, 22.8, 5.2, -3, 24, 38},
    {"T11", 30.0, 24.0, 5.6, -2, 23, 26}, {"T12", 30.8, 25.2, 6.4, -1, 24, 18}, {"L1", 31.6, 26.2, 7.6, 1, 27, 12},
    {"L2", 32.6, 27.0, 8.8, 5, 29, 10},   {"L3", 33.6, 27.4, 9.8, 8, 30, 8},    {"L4", 34.4, 27.6, 10.6, 10, 28, 8},
    {"L5", 35.0, 27.6, 10.0, 13, 22, 12}, {"S1", 31.0, 28.0, 2.6, 20, 14, 30},  {"S2", 23.0, 23.0, 1.6, -9, 12, 35},
    {"S3", 17.0, 19.0, 1.2, -12, 10, 40}, {"S4", 13.0, 16.0, 1.0, -14, 8, 45},  {"S5", 10.0, 13.0, 1.0, -14, 0, 0}};

// The field of an examination, and how often it comes: the levels of its centre, and the highest one that it shows.
struct View {
  double chance;
  int low, high, top;
};
constexpr View kViews[] = {{0.46, 13, 18, 8}, {0.24, 17, 20, 11}, {0.20, 9, 13, 6}, {0.10, 4, 8, 0}};

const View& draw_view(Random& random) {
  double left = random.uniform();
  for (const View& view : kViews) {
    if ((left -= view.chance) < 0) return view;
  }
  return kViews[0];
}

// Part of a sharp bend that is left at the next level: the spine straightens itself above and below a wedge.
constexpr double kBendLeft = 0.7;

}  // namespace

std::string level_name(int level) {
  return kSize[level].name;
}

Spine make_spine(double width_mm, double height_mm, const std::vector<Disease>& diseases, Random& random) {
  Spine spine;
  const double scale = random.between(0.90, 1.12), slimness = random.between(0.95, 1.06);
  const double discs = random.between(0.75, 1.35);
  const double lordosis = random.between(0.6, 1.2), kyphosis = random.between(0.6, 1.45);
  spine.canal = random.between(14, 19);
  const View& view = draw_view(random);
  const int centre = random.whole(view.low, view.high);

  // Tilt of each body: the curve leans forwards (negative) or backwards on its way down.
  double tilt = 0, bent = 0;
  std::vector<double> tilts;
  for (int i = 0; i < kLevels; ++i) {
    const LevelSize& size = kSize[i];
    Vertebra v;
    v.level = i;
    v.depth = size.depth * scale * slimness * random.between(0.97, 1.03);
    v.height = size.height * scale * random.between(0.96, 1.04);
    v.disc = size.disc * scale * discs * random.between(0.75, 1.25);
    v.process = size.process * scale * random.between(0.85, 1.15);
    v.droop = size.droop + random.between(-6, 6);
    const double jitter = random.between(-1.5, 1.5);
    if (i < kSacrum) v.disease = diseases[static_cast<size_t>(i)];
    const double bend = v.disease.kyphosis(v.depth, v.height) / 2;
    bent = kBendLeft * bent - bend;
    if (i > 0) tilt += size.turn * (size.turn > 0 ? lordosis : kyphosis) + jitter;
    tilts.push_back(tilt + bent);
    bent -= bend;
    spine.vertebrae.push_back(v);
  }
  // The patient lies: over what the slice shows, the spine runs along its height, give or take some degrees.
  const auto shown = [&](int i) { return std::clamp(i, 0, kSacrum - 1); };
  const int reach = std::max(2, static_cast<int>(height_mm / 2 / 32));
  double mean = 0;
  int count = 0;
  for (int i = shown(centre - reach); i <= shown(centre + reach); ++i, ++count) mean += tilts[static_cast<size_t>(i)];
  const double correction = random.between(-7, 7) - mean / count;

  Point at;
  for (size_t i = 0; i < spine.vertebrae.size(); ++i) {
    Vertebra& v = spine.vertebrae[i];
    v.frame.turn = rotation(tilts[i] + correction);
    if (i > 0) {
      const Vertebra& above = spine.vertebrae[i - 1];
      const Point end = above.frame.slice({0, above.standing_height() / 2 + above.disc / 2});
      const double down = v.standing_height() / 2 + above.disc / 2;
      at = {end.x + v.frame.turn.s * down, end.y + v.frame.turn.c * down};
    }
    v.frame.centre = at;
  }
  const Point middle = spine.vertebrae[static_cast<size_t>(centre)].frame.centre;
  // Narrow slices are narrow because they were cut about the spine.
  const double wanted_x = width_mm * random.between(0.48, 0.68), wanted_y = height_mm * random.between(0.42, 0.58);
  Point move{wanted_x - middle.x, wanted_y - middle.y};
  // Tall slices show more below, not above; and there is no head above C3.
  const Vertebra& first = spine.vertebrae[static_cast<size_t>(view.top)];
  move.y = std::min(move.y, first.height * 0.3 - first.frame.centre.y);
  for (Vertebra& v : spine.vertebrae) {
    v.frame.centre.x += move.x;
    v.frame.centre.y += move.y;
  }
  return spine;
}

}  // namespace spinert::phantom
