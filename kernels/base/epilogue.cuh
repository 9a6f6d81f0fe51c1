// epilogue.cuh - what the cuda kernels of conv2d and linear do with a finished sum: bias, residual, activation, store.
//
// The order is that of epilogue.h on every backend: sum + bias + residual, then the activation, one rounding to the
// type of the output.
#pragma once

#include "kernels/base/cuda.cuh"
#include "kernels/base/igemm_cuda.h"

namespace spinert {

// Device twin of activate(): a comparison with NaN is false and x is returned.
__device__ __forceinline__ float activate_on_card(Activation activation, float x) {
  switch (activation) {
    case Activation::none: break;
    case Activation::relu: return x < 0.0f ? 0.0f : x;
    case Activation::relu6: return x < 0.0f ? 0.0f : (x > 6.0f ? 6.0f : x);
    case Activation::sigmoid: return portable_sigmoid(x);
  }
  return x;
}

// 16 bytes that move in one instruction.
struct alignas(16) Words4 {
  uint32_t word[4];
};

// Eight consecutive numbers at an address that is a multiple of their size.
template <class T>
__device__ __forceinline__ void load_8(const T* from, float (&to)[8]) {
  const Words4* words = reinterpret_cast<const Words4*>(from);
  if constexpr (sizeof(T) == sizeof(float)) {
    const Words4 low = words[0], high = words[1];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      to[i] = std::bit_cast<float>(low.word[i]);
      to[i + 4] = std::bit_cast<float>(high.word[i]);
    }
  } else {
    const Words4 all = words[0];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      to[2 * i] = ptx::to_float(T{static_cast<uint16_t>(all.word[i] & 0xFFFFu)});
      to[2 * i + 1] = ptx::to_float(T{static_cast<uint16_t>(all.word[i] >> 16)});
    }
  }
}

template <class T>
__device__ __forceinline__ void store_8(T* to, const float (&from)[8]) {
  Words4* words = reinterpret_cast<Words4*>(to);
  if constexpr (sizeof(T) == sizeof(float)) {
    Words4 low, high;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      low.word[i] = std::bit_cast<uint32_t>(from[i]);
      high.word[i] = std::bit_cast<uint32_t>(from[i + 4]);
    }
    words[0] = low;
    words[1] = high;
  } else {
    Words4 all;
#pragma unroll
    for (int i = 0; i < 4; ++i) all.word[i] = ptx::pack_x2<T>(from[2 * i], from[2 * i + 1]);
    words[0] = all;
  }
}

// The row of the residual that belongs to a row of the output.
__device__ __forceinline__ int64_t residual_row(const CardEpilogue& e, int64_t row) {
  if (e.residual_upsample == 1) return row;
  const uint32_t pixel = static_cast<uint32_t>(row), width = static_cast<uint32_t>(e.out_w);
  const uint32_t line = pixel / width, x = pixel - line * width;  // line counts through all images
  return int64_t{line / 2} * (width / 2) + x / 2;                 // out_h is even: no pair of lines spans two images
}

// Finishes one sum; T is the type of the input, hence of the residual.
template <class T>
__device__ __forceinline__ void finish_one(const CardEpilogue& e, int64_t row, int column, float sum) {
  if (e.bias) sum += e.bias[column];
  if (e.residual) {
    sum += ptx::to_float(static_cast<const T*>(e.residual)[residual_row(e, row) * e.columns + column]);
  }
  sum = activate_on_card(e.activation, sum);
  const int64_t at = row * e.columns + column;
  if (e.output == DType::f16) {
    static_cast<f16*>(e.y)[at] = ptx::from_float<f16>(sum);
  } else if (e.output == DType::bf16) {
    static_cast<bf16*>(e.y)[at] = ptx::from_float<bf16>(sum);
  } else {
    static_cast<float*>(e.y)[at] = sum;
  }
}

// Finishes eight consecutive columns of one row; column is a multiple of 8, columns beyond the last are left out. With
// a whole number of eights every access is a 16-byte vector.
template <class T>
__device__ __forceinline__ void finish_8(const CardEpilogue& e, int64_t row, int column, float (&sum)[8]) {
  if (e.columns % 8 != 0) {
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if (column + i < e.columns) finish_one<T>(e, row, column + i, sum[i]);
    }
    return;
  }
  float other[8];
  if (e.bias) {
    load_8(e.bias + column, other);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] += other[i];
  }
  if (e.residual) {
    load_8(static_cast<const T*>(e.residual) + residual_row(e, row) * e.columns + column, other);
#pragma unroll
    for (int i = 0; i < 8; ++i) sum[i] += other[i];
  }
#pragma unroll
  for (int i = 0; i < 8; ++i) sum[i] = activate_on_card(e.activation, sum[i]);
  const int64_t at = row * e.columns + column;
  if (e.output == DType::f16) {
    store_8(static_cast<f16*>(e.y) + at, sum);
  } else if (e.output == DType::bf16) {
    store_8(static_cast<bf16*>(e.y) + at, sum);
  } else {
    store_8(static_cast<float*>(e.y) + at, sum);
  }
}

}  // namespace spinert
