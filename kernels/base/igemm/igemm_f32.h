// igemm_f32.h - the packed weight of the implicit matrix product in float.
#pragma once

#include <cstdint>

#include "kernels/base/igemm/igemm_call.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/kernel.h"

namespace spinert {

// Floats of a line.
inline constexpr int64_t kF32Line = kLineBytes / int64_t{sizeof(float)};

// Floats of the packed weight for panels of `panel` output channels: [panel number][tap][channel, in whole
// lines][panel].
int64_t igemm_f32_packed(const IgemmCall& p, int64_t panel);
void igemm_f32_pack(const IgemmCall& p, int64_t panel, float* packed, ThreadPool& pool);
void igemm_f32_pack_i8(const IgemmCall& p, const StoredI8& weight, int64_t panel, float* packed, ThreadPool& pool);

}  // namespace spinert
