// rpn_second.cuh - the second product of rpn_head, hidden channels times 5A outputs, for kernels that hold the hidden
// numbers of 16 pixels in the registers of a warp as mma leaves its sums (ptx_mma.cuh): two neighbouring octets of
// columns are the rows of A of an m16n8k16 as they stand.
//
// The weight lies in shared memory, [output][hidden channels in the order of the first product's columns] in halves,
// rows padded by 16 bytes so that the eight rows of an ldmatrix lie in different banks; outputs are padded to 16.
#pragma once

#include "kernels/base/epilogue.cuh"
#include "kernels/rpn_head/rpn_level.cuh"

namespace spinert {

inline constexpr int kRpnMostAnchors = 12;
inline constexpr int kRpnGroup = 16;  // outputs of one step

constexpr int rpn_padded_outputs(int anchors) {
  return (5 * anchors + kRpnGroup - 1) / kRpnGroup * kRpnGroup;
}
// channels: how many lie side by side in shared memory.
constexpr int rpn_second_row_bytes(int channels) {
  return channels * 2 + 16;
}
constexpr int rpn_second_bytes(int anchors, int channels) {
  return rpn_padded_outputs(anchors) * rpn_second_row_bytes(channels);
}

// A finished hidden number; 0 for a column of the product that is no channel, whatever its sum.
__device__ __forceinline__ float rpn_hidden(float sum, float bias, bool inside) {
  return inside ? activate_on_card(Activation::relu, sum + bias) : 0.0f;
}

// Writes one weight to its place; zero beyond the last channel and output.
template <class T>
__device__ __forceinline__ void rpn_second_store(const RpnCall& call, unsigned char* second, int channels, int output,
                                                 int place, int channel) {
  float value = 0.0f;
  if (channel < call.hidden && output < 5 * call.anchors) {
    const RpnOutput out = rpn_output(call, call.level[0], 0, output);
    value = out.weight[int64_t{channel} * out.stride];
  }
  *reinterpret_cast<T*>(second + output * rpn_second_row_bytes(channels) + place * 2) = ptx::from_float<T>(value);
}

// Fragments of 16 outputs from `output` on and of the 16 places of that pair of octets.
__device__ __forceinline__ void rpn_second_weights(uint32_t second, int channels, int output, int pair,
                                                   uint32_t (&b)[2][2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  uint32_t four[4];  // outputs 0-7 at places 0-7 and 8-15, then outputs 8-15 likewise
  const int row = output + lane % 8 + lane / 16 * 8;
  ptx::ldmatrix_x4(
      four, second + static_cast<uint32_t>(row * rpn_second_row_bytes(channels) + pair * 32 + lane / 8 % 2 * 16));
  b[0][0] = four[0];
  b[0][1] = four[1];
  b[1][0] = four[2];
  b[1][1] = four[3];
}

// A pair of hidden numbers as two halves each: rounded, and what the rounding left.
template <class T>
__device__ __forceinline__ void rpn_split(float low, float high, uint32_t& rounded, uint32_t& rest) {
  const T a = ptx::from_float<T>(low), b = ptx::from_float<T>(high);
  rounded = a.bits | static_cast<uint32_t>(b.bits) << 16;
  rest = ptx::pack_x2<T>(low - ptx::to_float(a), high - ptx::to_float(b));
}

// part += hidden * weight for 16 pixels, 16 channels (two octets of sums) and 16 outputs.
template <class T>
__device__ __forceinline__ void rpn_second_step(const float (&octet0)[4], const float (&octet1)[4],
                                                const uint32_t (&b)[2][2], float (&part)[2][4]) {
  uint32_t rounded[4], rest[4];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    rpn_split<T>(octet0[i * 2], octet0[i * 2 + 1], rounded[i], rest[i]);
    rpn_split<T>(octet1[i * 2], octet1[i * 2 + 1], rounded[i + 2], rest[i + 2]);
  }
#pragma unroll
  for (int o = 0; o < 2; ++o) {
    ptx::mma_m16n8k16<T>(part[o], rounded, b[o]);
    ptx::mma_m16n8k16<T>(part[o], rest, b[o]);
  }
}

}  // namespace spinert
