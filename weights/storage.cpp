#include "weights/storage.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/base/quantise.h"

namespace spinert {
namespace {

constexpr uint32_t kInfinity = 0x7F800000u;
constexpr uint32_t kMagnitude = 0x7FFFFFFFu;

template <class T>
inline T load(const std::byte* in, int64_t i) {
  T value;
  std::memcpy(&value, in + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

// One loop for all 16- and 32-bit types; `bits` maps the stored element to f32 bits. The flag is an OR over all
// elements instead of an early exit, which keeps the loop vectorisable.
template <class Stored, class Bits>
bool decode(const std::byte* in, int64_t count, float* out, Bits bits) {
  uint32_t special = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t value = bits(load<Stored>(in, i));
    special |= static_cast<uint32_t>((value & kMagnitude) >= kInfinity);
    out[i] = std::bit_cast<float>(value);
  }
  return special == 0;
}

}  // namespace

bool decode_f32(const std::byte* in, int64_t count, float* out) {
  return decode<uint32_t>(in, count, out, [](uint32_t bits) { return bits; });
}

bool decode_f16(const std::byte* in, int64_t count, float* out) {
  return decode<uint16_t>(in, count, out, [](uint16_t bits) { return std::bit_cast<uint32_t>(f16_to_f32(bits)); });
}

bool decode_bf16(const std::byte* in, int64_t count, float* out) {
  return decode<uint16_t>(in, count, out, [](uint16_t bits) { return uint32_t{bits} << 16; });
}

void decode_i8(const std::byte* in, int64_t first, int64_t count, std::span<const float> scale, float* out) {
  const auto channels = static_cast<int64_t>(scale.size());
  const float* const scales = scale.data();
  int64_t done = 0;
  int64_t channel = first % channels;
  while (done < count) {  // one row of output channels at a time
    const int64_t row = std::min(channels - channel, count - done);
    const auto* q = reinterpret_cast<const int8_t*>(in + done);
    const float* s = scales + channel;
    float* o = out + done;
    for (int64_t i = 0; i < row; ++i) o[i] = static_cast<float>(q[i]) * s[i];
    done += row;
    channel = 0;
  }
}

QuantisedTensor quantise_i8(std::span<const float> values, int64_t channels) {
  QuantisedTensor result;
  result.values.resize(values.size());
  std::vector<float> largest(static_cast<size_t>(channels), 0.0f);
  for (size_t i = 0; i < values.size(); ++i) {
    float& m = largest[i % static_cast<size_t>(channels)];
    m = std::max(m, std::fabs(values[i]));
  }
  for (const float m : largest) {
    result.scale.push_back(weight_step(m));
  }
  for (size_t i = 0; i < values.size(); ++i) {
    result.values[i] = quantised_weight(values[i], result.scale[i % static_cast<size_t>(channels)]);
  }
  return result;
}

}  // namespace spinert
