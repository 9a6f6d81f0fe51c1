// igemm_bf16.h - the implicit matrix product of igemm_call.h over bf16: x and the weight in bf16, sums in float. The
// engine of conv2d and linear at the level avx512_bf16; its packed weight is also that of amx_bf16.
//
// One instruction multiplies two neighbouring channels of a row with two rows of the weight, so both operands hold
// pairs of channels side by side.
#pragma once

#include <cstdint>

#include "kernels/base/half.h"
#include "kernels/base/igemm/igemm_call.h"
#include "kernels/base/igemm/igemm_cut.h"
#include "kernels/base/thread_pool.h"

namespace spinert {

// Numbers of a line.
inline constexpr int64_t kBf16Line = kLineBytes / int64_t{sizeof(bf16)};

// Null, or why a call is not one over bf16.
const char* igemm_bf16_rejects(const IgemmCall& p);

// Bytes of the packed weight for panels of `panel` output channels: [panel number][tap][pair of channels, in whole
// lines][panel][2]. Rounded to bf16.
int64_t igemm_bf16_packed_bytes(const IgemmCall& p, int64_t panel);
void igemm_bf16_pack(const IgemmCall& p, int64_t panel, bf16* packed, ThreadPool& pool);

}  // namespace spinert
