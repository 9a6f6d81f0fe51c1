// tissue_rows.h - the borders of the body's compartments, row by row of the slice.
#pragma once

#include <vector>

#include "diagnosis/phantom/canvas.h"
#include "diagnosis/phantom/spine_shape.h"

namespace spinert::phantom {

// x in mm of the slice.
struct TissueRow {
  double spine = 0;  // middle of the bodies
  double front = 0;  // front wall of the bodies
  double canal_front = 0, canal_back = 0;
  double skin_back = 0, skin_front = 0;
  double neck = 0;  // 1 in the neck, 0 from the chest on
};

struct TissueRows {
  std::vector<TissueRow> rows;
  double apex = 0, diaphragm = 0;  // y at which the lungs begin and, along the spine, end
};

TissueRows make_tissue_rows(const Canvas& canvas, const Spine& spine, Random& random);

}  // namespace spinert::phantom
