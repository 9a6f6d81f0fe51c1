// gemm_epilogue_sm90a.cuh - what follows the sum of a matrix product, eight neighbouring columns of a row at a time, in
// accesses of 16 bytes: y = clamp(sum + bias + residual), rounded to the output type.
#pragma once

#include <limits>

#include "kernels/base/epilogue.cuh"

namespace spinert::sm90a {

inline constexpr int kEight = 8;

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

// Eight columns of the bias; zero without one.
__device__ __forceinline__ void load_bias(const GemmEpilogue& epilogue, int64_t column, float (&bias)[kEight]) {
  if (epilogue.bias) return load_8(epilogue.bias + column, bias);
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
    float other[kEight];
    load_8(static_cast<const T*>(target.residual) + residual * epilogue.columns + column, other);
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum[i] += other[i];
  }
#pragma unroll
  for (int i = 0; i < kEight; ++i) {
    sum[i] = sum[i] < epilogue.low ? epilogue.low : (sum[i] > epilogue.high ? epilogue.high : sum[i]);
  }
  const int64_t at = row * epilogue.columns + column;
  if (epilogue.wide) {
    store_8(static_cast<float*>(target.y) + at, sum);
  } else {
    store_8(static_cast<T*>(target.y) + at, sum);
  }
}

}  // namespace spinert::sm90a
