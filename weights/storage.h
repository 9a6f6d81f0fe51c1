// storage.h - how weights lie in a file: F32, F16, BF16, or I8 with one float scale per output channel.
//
// Storage is not arithmetic: everything is converted to f32 when it is loaded. The output channel is the last dimension
// of every weight layout of SpineRT (conv [kh][kw][in][out], linear [in][out]).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/half.h"

namespace spinert {

// The following read `count` little-endian elements at any alignment, write f32 and answer whether all are finite.
bool decode_f32(const std::byte* in, int64_t count, float* out);
bool decode_f16(const std::byte* in, int64_t count, float* out);
bool decode_bf16(const std::byte* in, int64_t count, float* out);
// out[i] = float(in[i]) * scale[(first + i) % scale.size()]; `first` is the number of the first element in its tensor.
void decode_i8(const std::byte* in, int64_t first, int64_t count, std::span<const float> scale, float* out);

struct QuantisedTensor {
  std::vector<int8_t> values;
  std::vector<float> scale;  // one per output channel
};

// scale = max|w| / 127, or 1 for a channel of zeros; q = clamp(round_half_even(w / scale), -127, 127), all in float.
// values.size() must be a multiple of channels.
QuantisedTensor quantise_i8(std::span<const float> values, int64_t channels);

}  // namespace spinert
