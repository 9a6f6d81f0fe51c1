// tensor_map.cpp - the rules of tensor maps, from the documentation of cuTensorMapEncodeTiled and ...Im2col. One is
// stricter: under a swizzle a row of the box fills the span, since the pitch of shorter rows is not documented.
#include "kernels/base/tensor_map.h"

namespace spinert {
namespace {

constexpr int64_t kAlign = 16, kMostStride = int64_t{1} << 40, kMostDim = (int64_t{1} << 32) - 1;
constexpr int kMostBox = 256, kMostPixels = 1024, kMostStep = 8, kLowestCorner = -128, kHighestCorner = 127;

Status refuse(const char* what, const char* expected, int64_t got) {
  return error(ErrorId::E_DEVICE, std::string("a tensor map cannot have this ") + what)
      .expected(expected, std::to_string(got));
}

Status check_memory(DType dtype, const void* base) {
  if (dtype != DType::f16 && dtype != DType::bf16 && dtype != DType::f32) {
    return refuse("element type", "f16, bf16 or f32", static_cast<int64_t>(dtype));
  }
  const auto address = reinterpret_cast<uintptr_t>(base);
  if (base == nullptr || address % kAlign != 0) {
    return refuse("address", "a multiple of 16", static_cast<int64_t>(address));
  }
  return {};
}
Status check_dim(int64_t dim) {
  return dim < 1 || dim > kMostDim ? refuse("dimension", "1 to 2^32 - 1", dim) : Status();
}
Status check_stride(int64_t stride) {
  return stride < kAlign || stride % kAlign != 0 || stride >= kMostStride
             ? refuse("stride", "a multiple of 16 bytes below 2^40", stride)
             : Status();
}
Status check_step(int step) {
  return step < 1 || step > kMostStep ? refuse("step", "1 to 8", step) : Status();
}
Status check_row(int64_t bytes, ptx::Swizzle swizzle) {
  if (bytes % kAlign != 0) return refuse("row of the box", "a multiple of 16 bytes", bytes);
  if (swizzle != ptx::Swizzle::none && bytes != ptx::swizzle_span(swizzle)) {
    return refuse("row of the box", "as many bytes as the swizzle spans", bytes);
  }
  return {};
}

}  // namespace

Status check_tile_map(const TileMap& map) {
  SPINERT_TRY(check_memory(map.dtype, map.base));
  if (map.rank < 1 || map.rank > 5) return refuse("rank", "1 to 5", map.rank);
  for (size_t d = 0; d < static_cast<size_t>(map.rank); ++d) {
    SPINERT_TRY(check_dim(map.dims[d]));
    if (d > 0) SPINERT_TRY(check_stride(map.strides[d - 1]));
    SPINERT_TRY(check_step(map.steps[d]));
    if (map.box[d] < 1 || map.box[d] > kMostBox) return refuse("box", "1 to 256 elements", map.box[d]);
  }
  if (map.steps[0] != 1) return refuse("step of dimension 0", "1", map.steps[0]);
  return check_row(map.box[0] * size_of(map.dtype), map.swizzle);
}

Status check_im2col_map(const Im2colMap& map) {
  SPINERT_TRY(check_memory(map.dtype, map.base));
  for (const int64_t dim : map.dims) SPINERT_TRY(check_dim(dim));
  for (const int64_t stride : map.strides) SPINERT_TRY(check_stride(stride));
  for (size_t d = 0; d < 2; ++d) {
    SPINERT_TRY(check_step(map.steps[d]));
    for (const int corner : {map.lower[d], map.upper[d]}) {
      if (corner < kLowestCorner || corner > kHighestCorner) return refuse("corner", "-128 to 127", corner);
    }
    if (map.dims[d + 1] - 1 + map.upper[d] < map.lower[d]) return refuse("box of pixels", "at least one pixel", 0);
  }
  if (map.channels < 1 || map.channels > kMostBox) return refuse("number of channels", "1 to 256", map.channels);
  if (map.pixels < 1 || map.pixels > kMostPixels) return refuse("number of pixels", "1 to 1024", map.pixels);
  return check_row(map.channels * size_of(map.dtype), map.swizzle);
}

}  // namespace spinert
