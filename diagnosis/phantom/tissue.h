// tissue.h - everything that is not bone: skin, fat and muscle, the canal, lung or mediastinum, abdomen with its organs
// and gas, vessels with plaques, the breastbone and ribs in front, air and the table.
#pragma once

#include "diagnosis/phantom/canvas.h"
#include "diagnosis/phantom/spine_shape.h"
#include "diagnosis/phantom/vertebra.h"

namespace spinert::phantom {

// Fills the whole canvas; discs and bones are painted over it.
void paint_tissue(Canvas& canvas, const Spine& spine, const Bone& bone, Random& random);

}  // namespace spinert::phantom
