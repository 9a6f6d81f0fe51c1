// gemm_epilogue_sm90a.cuh - what follows the sum of a matrix product, eight neighbouring columns of a row at a time, in
// accesses of 16 bytes: y = clamp(sum + bias + residual), rounded to the output type.
#pragma once

#include <limits>

#include "kernels/base/cuda.cuh"
#include "kernels/base/epilogue.h"

namespace spinert::sm90a {

inline constexpr int kEight = 8;

struct alignas(16) EightHalves {
  uint32_t pair[4];
};
struct alignas(16) FourFloats {
  float value[4];
};

struct GemmEpilogue {
  const float* bias;  // null: none
  // none, relu and relu6 as one clamp that keeps NaN.
  float low, high;
  int64_t columns;  // of a row of y and of the residual, a multiple of 8
  bool wide;        // y is f32, not T
};

// Where one level's rows go. The residual of row r = (image, oy, ox) is (image, oy / 2, ox / 2) if halved, else row r.
struct GemmTarget {
  void* y;
  const void* residual;  // null: none
  int pixels, width;     // of one image of y
  bool halved;
};

inline bool is_clamp(Activation activation) {
  return activation != Activation::sigmoid;
}
inline GemmEpilogue gemm_epilogue(const Tensor* bias, Activation activation, const Tensor& y) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  return {bias && bias->present() ? bias->as<float>() : nullptr, activation == Activation::none ? -kInfinity : 0.0f,
          activation == Activation::relu6 ? 6.0f : kInfinity, y.shape.last(), y.dtype == DType::f32};
}

__device__ __forceinline__ int64_t residual_row(const GemmTarget& target, int row) {
  if (!target.halved) return row;
  const int image = row / target.pixels, pixel = row % target.pixels;
  const int y = pixel / target.width, x = pixel % target.width;
  return int64_t{image} * (target.pixels / 4) + int64_t{y / 2} * (target.width / 2) + x / 2;
}

__device__ __forceinline__ void load_floats(const float* from, float (&to)[kEight]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const FourFloats four = reinterpret_cast<const FourFloats*>(from)[half];
#pragma unroll
    for (int i = 0; i < 4; ++i) to[4 * half + i] = four.value[i];
  }
}
__device__ __forceinline__ void store_floats(float* to, const float (&from)[kEight]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    reinterpret_cast<FourFloats*>(to)[half] = {from[4 * half], from[4 * half + 1], from[4 * half + 2],
                                               from[4 * half + 3]};
  }
}

// Eight columns of the bias; zero without one.
__device__ __forceinline__ void load_bias(const GemmEpilogue& epilogue, int64_t column, float (&bias)[kEight]) {
  if (epilogue.bias) return load_floats(epilogue.bias + column, bias);
#pragma unroll
  for (int i = 0; i < kEight; ++i) bias[i] = 0;
}

// sum: eight columns from `column` on. residual: that row's number from residual_row.
template <class T>
__device__ __forceinline__ void finish_eight(const GemmEpilogue& epilogue, const GemmTarget& target, int64_t row,
                                             int64_t residual, int64_t column, const float (&bias)[kEight],
                                             float (&sum)[kEight]) {
#pragma unroll
  for (int i = 0; i < kEight; ++i) sum[i] += bias[i];
  if (target.residual) {
    const T* from = static_cast<const T*>(target.residual) + residual * epilogue.columns + column;
    const EightHalves eight = *reinterpret_cast<const EightHalves*>(from);
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      sum[i] += ptx::to_float(T{static_cast<uint16_t>(eight.pair[i / 2] >> (i % 2 * 16))});
    }
  }
#pragma unroll
  for (int i = 0; i < kEight; ++i) {
    sum[i] = sum[i] < epilogue.low ? epilogue.low : (sum[i] > epilogue.high ? epilogue.high : sum[i]);
  }
  const int64_t at = row * epilogue.columns + column;
  if (epilogue.wide) return store_floats(static_cast<float*>(target.y) + at, sum);
  EightHalves eight;
#pragma unroll
  for (int i = 0; i < 4; ++i) eight.pair[i] = ptx::pack_x2<T>(sum[2 * i], sum[2 * i + 1]);
  *reinterpret_cast<EightHalves*>(static_cast<T*>(target.y) + at) = eight;
}

}  // namespace spinert::sm90a
