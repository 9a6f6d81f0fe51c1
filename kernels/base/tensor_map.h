// tensor_map.h - descriptions of tensors in global memory for the tensor memory accelerator (ptx_tma.cuh).
//
// A map is made on the host before a launch and goes to the kernel by value: `const __grid_constant__ TensorMap map`,
// used by its address. On the card it is the driver's CUtensorMap; in the emulation it holds the fields below. Both
// check the same rules first (tensor_map.cpp); errors are E_DEVICE, here a mistake in a kernel or a driver without
// tensor maps.
//
// Shared memory receives the box dimension 0 fastest, densely; with a swizzle the 16-byte pieces of a row are permuted:
// address bits 4-6 are combined (xor) with bits 7-9 for bytes128, bits 4-5 with 7-8 for bytes64, bit 4 with 7 for
// bytes32. What lies outside the tensor is read as zero and not written.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/base/status.h"
#include "kernels/base/tensor.h"

namespace spinert {

namespace ptx {

enum class Swizzle : unsigned char { none, bytes32, bytes64, bytes128 };

constexpr int swizzle_span(Swizzle swizzle) {
  return swizzle == Swizzle::none ? 0 : 16 << static_cast<int>(swizzle);
}
// Rows repeat their permutation after eight of the span; operands start at a multiple of this.
constexpr int swizzle_period(Swizzle swizzle) {
  return swizzle == Swizzle::none ? 128 : 8 * swizzle_span(swizzle);
}

struct alignas(128) TensorMap {
  unsigned char opaque[128];
};

}  // namespace ptx

// A dense or strided tensor of rank 1 to 5, dimension 0 innermost.
struct TileMap {
  DType dtype = DType::f16;    // f16, bf16, f32
  const void* base = nullptr;  // device memory, 16-byte aligned
  int rank = 2;
  std::array<int64_t, 5> dims{};     // elements
  std::array<int64_t, 4> strides{};  // bytes from one to the next in dimensions 1 to rank - 1, multiples of 16
  std::array<int, 5> box{};          // 1 to 256; box[0] in bytes: a multiple of 16, with a swizzle exactly its span
  std::array<int, 5> steps{1, 1, 1, 1, 1};  // every steps[d]-th element of the box is taken, steps[0] = 1
  ptx::Swizzle swizzle = ptx::Swizzle::none;
};
Result<ptx::TensorMap> make_tile_map(const TileMap& map);

// An NHWC tensor read as columns of a convolution. A load takes `channels` x `pixels`: pixels walk along W, then H,
// then N, inside the box whose corners are lower and (W - 1, H - 1) + upper, in steps; the offsets of the filter tap
// are added to each position before the bounds of the tensor apply. So for a kernel k with padding p and stride s,
// where all output pixels are wanted: lower = -p, upper = p - (k - 1), steps = s, and output pixel (x, y) is w = x s -
// p.
struct Im2colMap {
  DType dtype = DType::f16;
  const void* base = nullptr;
  std::array<int64_t, 4> dims{};     // C, W, H, N
  std::array<int64_t, 3> strides{};  // bytes of W, H, N
  std::array<int, 2> lower{};        // W, H: -128 to 127
  std::array<int, 2> upper{};
  std::array<int, 2> steps{1, 1};  // W, H: 1 to 8
  int channels = 0;                // 1 to 256; in bytes as box[0] above
  int pixels = 0;                  // 1 to 1024
  ptx::Swizzle swizzle = ptx::Swizzle::none;
};
Result<ptx::TensorMap> make_im2col_map(const Im2colMap& map);

// The rules that both makers apply.
Status check_tile_map(const TileMap& map);
Status check_im2col_map(const Im2colMap& map);

}  // namespace spinert
