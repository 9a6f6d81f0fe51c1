// posterior.h - what lies behind and beside the bodies: discs, spinous processes or pedicles and joints, rib heads.
#pragma once

#include "diagnosis/phantom/canvas.h"
#include "diagnosis/phantom/spine_shape.h"
#include "diagnosis/phantom/vertebra.h"

namespace spinert::phantom {

// A rod with round ends, in mm; the radius grows from one end to the other.
struct Rod {
  Point from, to;
  double radius_from, radius_to;
  // mm to the surface, positive inside.
  double depth(Point p) const;
};

// Paints a bone with a shell: the outline is roughened by `rough` mm.
void paint_bone_rod(Canvas& canvas, const Rod& rod, const Bone& bone, double rough, Random& random);

// Soft discs between the bodies, now and then with a line of gas.
void paint_discs(Canvas& canvas, const Spine& spine, Random& random);
// Beside the middle plane: pedicles, articular processes and rib heads; in it: spinous processes.
void paint_posterior(Canvas& canvas, const Spine& spine, const Bone& bone, bool beside_middle, Random& random);

}  // namespace spinert::phantom
