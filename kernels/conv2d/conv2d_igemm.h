// conv2d_igemm.h - conv2d as the implicit matrix product of kernels/base/igemm/igemm_call.h.
#pragma once

#include "kernels/base/igemm/igemm_call.h"

namespace spinert {

// At full capacity; without the packed weight.
IgemmCall conv2d_igemm_call(const OpCall& call);

}  // namespace spinert
