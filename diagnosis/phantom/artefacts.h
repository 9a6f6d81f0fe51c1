// artefacts.h - what the scanner does to a slice: metal streaks, beam hardening, noise streaks at the shoulders,
// motion, and the blur of slice thickness and focal spot.
#pragma once

#include "diagnosis/phantom/canvas.h"
#include "diagnosis/phantom/random.h"

namespace spinert::phantom {

// The rows of a sagittal slice are lines of axial pictures, so what a scan plane does spreads along rows.
// shoulders: y in mm above which the shoulders weaken the beam.
void add_artefacts(Canvas& canvas, double shoulders, Random& random);

// The slice's own point spread: thick axial slices blur along y.
void blur(Canvas& canvas, Random& random);

}  // namespace spinert::phantom
