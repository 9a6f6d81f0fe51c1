// ct_noise.h - the noise of a reconstruction: Gaussian, and neighbours depend on each other as the kernel makes them.
#pragma once

#include "diagnosis/phantom/canvas.h"
#include "diagnosis/phantom/random.h"

namespace spinert::phantom {

void add_noise(Canvas& canvas, Random& random);

}  // namespace spinert::phantom
