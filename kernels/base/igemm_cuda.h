// igemm_cuda.h - implicit matrix product on the cuda backend: one call of conv2d or linear as its kernels see it, and
// the two engines behind the rows of both operators. A linear layer is a 1x1 kernel over 1x1 images.
//
//   y[m, o] = activation( bias[o] + residual[m', o] + sum over k of A[m, k] * B[k, o] )
//
// Row m is one output pixel; k is one (tap, channel), tap by tap.
#pragma once

#include <cstdint>

#include "kernels/base/epilogue.h"
#include "kernels/base/kernel.h"

namespace spinert {

// Extents of one image and its kernel. Square stride, padding and dilation; groups == 1.
struct ImageGeometry {
  int in_h = 1, in_w = 1, in_c = 1;
  int kernel_h = 1, kernel_w = 1, stride = 1, padding = 0, dilation = 1;
  int out_h = 1, out_w = 1;
};

// What happens to a finished sum (epilogue.cuh).
struct CardEpilogue {
  const float* bias = nullptr;     // [columns] or null
  const void* residual = nullptr;  // of the type of x, or null
  void* y = nullptr;
  DType output = DType::f32;  // type of y
  Activation activation = Activation::none;
  int columns = 0;  // output channels
  int out_w = 1, residual_upsample = 1;
};

struct CudaIgemm {
  Tensor x;  // [rows][in_h][in_w][in_c] whatever its rank; its count says which rows are in use
  ImageGeometry image;
  CardEpilogue epilogue;

  int64_t capacity() const { return x.shape[0]; }
  int64_t pixels() const { return int64_t{image.out_h} * image.out_w; }  // of one image
  int64_t depth() const { return int64_t{image.kernel_h} * image.kernel_w * image.in_c; }
};

// Null, or why neither engine takes the call: a row or a k does not fit an int.
const char* igemm_cuda_rejects(int64_t rows, int64_t depth);

// Packed weight of the engine for halves: [step of 32 k][column][32], k beyond the end zero, the four 16-byte chunks of
// a column permuted as gemm_sm80.cuh wants them. weight is [depth][columns].
inline constexpr int kGemmStep = 32;
int64_t igemm_half_packed_bytes(int64_t depth, int64_t columns);
void igemm_half_pack(const float* weight, int64_t depth, int64_t columns, DType type, void* packed, ThreadPool& pool);

// f16 and bf16, in_c % 8 == 0 (kernels/base/igemm_half_sm80.cu). Scratch of igemm_half_scratch_bytes.
int64_t igemm_half_scratch_bytes(const CudaIgemm& call, int multiprocessors);
void igemm_half(const CudaIgemm& call, const RunContext& context);

// f32, in_c % 4 == 0, weight as it is: [depth][columns] (kernels/base/igemm_f32_sm80.cu).
void igemm_f32(const CudaIgemm& call, const float* weight, const RunContext& context);

}  // namespace spinert
