// igemm_f32.h - the implicit matrix product of igemm_call.h in float: block sizes and the packed weight.
#pragma once

#include <cstdint>

#include "kernels/base/igemm/igemm_call.h"
#include "kernels/base/kernel.h"

namespace spinert {

// Floats of a line.
inline constexpr int64_t kF32Line = kLineBytes / int64_t{sizeof(float)};
// The gathered block of one thread: kIgemmBlockRows rows of kIgemmBlockK, which with one panel of B stays inside a 1 MB
// second-level cache. From kIgemmLong on B comes from memory, so more rows, of kIgemmLongK, share one pass of it.
inline constexpr int64_t kIgemmBlockK = 1536, kIgemmBlockRows = 112;
inline constexpr int64_t kIgemmLong = 8192, kIgemmLongK = 512, kIgemmLongRows = 336;

// Floats of the packed weight for panels of `panel` output channels: [panel number][tap][channel, in whole
// lines][panel].
int64_t igemm_f32_packed(const IgemmCall& p, int64_t panel);
void igemm_f32_pack(const IgemmCall& p, int64_t panel, float* packed, ThreadPool& pool);
void igemm_f32_pack_i8(const IgemmCall& p, const StoredI8& weight, int64_t panel, float* packed, ThreadPool& pool);

// Floats of the gathered block of one thread, for tiles of `tile_rows` rows.
int64_t igemm_f32_scratch(int64_t tile_rows);

}  // namespace spinert
