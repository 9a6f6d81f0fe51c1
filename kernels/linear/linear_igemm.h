// linear_igemm.h - linear as the implicit matrix product of 1x1 images, kernels/base/igemm/igemm_call.h.
#pragma once

#include "kernels/base/igemm/igemm_call.h"

namespace spinert {

// At full capacity; without the packed weight.
IgemmCall linear_igemm_call(const OpCall& call);

}  // namespace spinert
