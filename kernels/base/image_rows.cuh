// image_rows.cuh - the rows of A of an implicit matrix product: row m is one output pixel, and its k are the input
// values under the kernel, tap by tap and channel by channel. A is never formed: threads fetch its chunks from the
// image.
#pragma once

#include "kernels/base/gemm_sm80.cuh"

namespace spinert {

// A thread's place in k, moved on without a division. A chunk of 8 halves or 4 floats never crosses a
// tap: in_c is a multiple of it.
class TapWalk {
 public:
  __device__ TapWalk(const ImageGeometry& g, int k) {
    const int tap = k / g.in_c;
    channel_ = k - tap * g.in_c;
    i_ = tap / g.kernel_w;
    j_ = tap - i_ * g.kernel_w;
  }
  __device__ __forceinline__ void advance(const ImageGeometry& g, int by) {
    channel_ += by;
    while (channel_ >= g.in_c) {
      channel_ -= g.in_c;
      if (++j_ == g.kernel_w) {
        j_ = 0;
        ++i_;
      }
    }
  }
  __device__ bool inside(const ImageGeometry& g) const { return i_ < g.kernel_h; }
  __device__ int dy(const ImageGeometry& g) const { return i_ * g.dilation; }
  __device__ int dx(const ImageGeometry& g) const { return j_ * g.dilation; }
  // From the value at tap (0, 0), channel 0 of a row to the one under the walk.
  __device__ int64_t offset(const ImageGeometry& g) const {
    return (int64_t{dy(g)} * g.in_w + dx(g)) * g.in_c + channel_;
  }

 private:
  int i_, j_, channel_;
};

// Where the window of one output pixel begins. A row beyond those in use begins far above the image: all its taps are
// outside and count as zero.
struct Window {
  int y, x;
  int64_t start;  // of tap (0, 0), channel 0, in elements from the first image; may lie outside the image

  __device__ __forceinline__ bool covers(const ImageGeometry& g, int dy, int dx) const {
    return static_cast<uint32_t>(y + dy) < static_cast<uint32_t>(g.in_h) &&
           static_cast<uint32_t>(x + dx) < static_cast<uint32_t>(g.in_w);
  }
};

__device__ __forceinline__ Window window_of(const ImageGeometry& g, int64_t row, int64_t rows) {
  if (row >= rows) return {-(1 << 30), 0, 0};
  const uint32_t pixel = static_cast<uint32_t>(row), width = static_cast<uint32_t>(g.out_w);
  const uint32_t line = pixel / width, image = line / static_cast<uint32_t>(g.out_h);
  const int x = static_cast<int>(pixel - line * width) * g.stride - g.padding;
  const int y = static_cast<int>(line - image * static_cast<uint32_t>(g.out_h)) * g.stride - g.padding;
  return {y, x, ((int64_t{image} * g.in_h + y) * g.in_w + x) * g.in_c};
}

// LoadA of gemm_sm80.cuh. A thread always fetches the same chunk of a step, of kLoads rows that lie evenly in the tile.
template <class T, class Tile>
class ImageRows {
 public:
  // rows: how many are in use, of all blocks; first_row and first_step: where this block begins.
  __device__ ImageRows(const ImageGeometry& geometry, const void* x, int64_t first_row, int64_t rows, int first_step)
      : g_(geometry), x_(static_cast<const T*>(x)), walk_(geometry, first_step * kGemmStep + chunk() * 8) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) window_[i] = window_of(g_, first_row + row(i), rows);
  }
  __device__ __forceinline__ void load(uint32_t buffer) {
    const int64_t offset = walk_.offset(g_);
    const int dy = walk_.dy(g_), dx = walk_.dx(g_);
    const bool tap = walk_.inside(g_);
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const bool inside = tap && window_[i].covers(g_, dy, dx);
      ptx::cp_async_16(buffer + static_cast<uint32_t>(gemm_offset(row(i), chunk())),
                       inside ? x_ + (window_[i].start + offset) : x_, inside ? 16 : 0);
    }
    walk_.advance(g_, kGemmStep);
  }

 private:
  static constexpr int kLoads = kGemmChunks * Tile::kRows / Tile::kThreads;
  __device__ static int chunk() {
    return static_cast<int>(threadIdx.x) % kGemmChunks;
  }
  __device__ static int row(int i) {
    return static_cast<int>(threadIdx.x) / kGemmChunks + i * (Tile::kThreads / kGemmChunks);
  }

  const ImageGeometry& g_;
  const T* x_;
  TapWalk walk_;
  Window window_[kLoads];
};

}  // namespace spinert
