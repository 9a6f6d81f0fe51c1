// spine_shape.h - where each vertebra of a slice lies: sizes and curvature by level from C3 to S5, varied per slice,
// and the part of the spine that the slice shows.
#pragma once

#include <string>
#include <vector>

#include "diagnosis/phantom/disease.h"

namespace spinert::phantom {

inline constexpr int kLevels = 27;  // C3..C7, T1..T12, L1..L5, S1..S5
inline constexpr int kSacrum = 22;  // index of S1; sacral segments carry no box
inline constexpr int kFirstThoracic = 5, kFirstLumbar = 17;
std::string level_name(int level);

struct Vertebra {
  int level = 0;
  Frame frame;         // centre of the body
  double depth = 0;    // of the body, front to back, mm
  double height = 0;   // of the healthy body, mm
  double disc = 0;     // height of the disc below, mm
  double process = 0;  // length of the spinous process, mm
  double droop = 0;    // degrees by which that points downwards
  Disease disease;

  double standing_height() const { return height * (1 - disease.mean_loss()); }
};

struct Spine {
  std::vector<Vertebra> vertebrae;  // from top to bottom, all levels
  double canal = 16;                // width of the canal, mm
};

// The slice covers [0, width_mm] x [0, height_mm]; forwards (ventral) is to the left.
Spine make_spine(double width_mm, double height_mm, const std::vector<Disease>& diseases, Random& random);

}  // namespace spinert::phantom
