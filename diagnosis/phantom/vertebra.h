// vertebra.h - paints one vertebral body: cortical shell, trabecular bone, and what its disease leaves in it.
#pragma once

#include "diagnosis/phantom/body_shape.h"
#include "diagnosis/phantom/canvas.h"

namespace spinert::phantom {

// Of the patient; a vertebra varies about it.
struct Bone {
  double cortex = 800;    // HU of the shell
  double shell = 0.8;     // mm
  double spongy = 150;    // HU of trabecular bone
  double texture = 30;    // HU by which trabeculae stand out
  double softness = 0.3;  // mm over which oblique edges fade
};
Bone make_bone(Random& random);

void paint_body(Canvas& canvas, const Vertebra& vertebra, const BodyShape& shape, const Bone& bone, Random& random);

// Screws of neighbours are joined by a rod. The canvas must hold the bone already.
void paint_screws(Canvas& canvas, const Spine& spine, Random& random);

}  // namespace spinert::phantom
