// rpn_head_cpu.h - which calls the fast cpu rows of rpn_head take.
#pragma once

#include "kernels/rpn_head/rpn_head.h"

namespace spinert {

// Null, or why Winograd is not the algorithm for the 3x3 convolution of the largest map; the small ones weigh nothing.
const char* rpn_head_winograd_rejects(const OpCall& call);

}  // namespace spinert
