// igemm_f32_sm80.cu - the engine of conv2d and linear for f32: implicit matrix product with fused multiply-adds, the
// path for verification on a card
// Layout   x NHWC f32, C % 4 == 0; weight as it is, [tap, channel][column] f32; y and residual NHWC
// Tile     128 rows x 64 columns by 128 threads of 8x8, k in steps of 16; A turned in shared memory, one buffer of each
// Work     per step and thread: 1024 fmaf, 64 reads of 16 bytes from shared memory, 6 loads of 16 bytes ahead
// Bound    FFMA: fpn.0 (3x3, 256 -> 256, 256x256) 77.3 GFLOP at 60 TFLOP/s of f32 (H200, published 67) 1.3 ms
// Measured not yet: no card was available
// Rejects  nothing of its own; its callers reject halves, C % 4 != 0, groups
// Numerics one fused chain per output in the order (tap, channel), as igemm on the cpu; same bytes for every batch
// Tried    nothing else: speed is not what it is for
#include "kernels/base/image_rows.cuh"

namespace spinert {
namespace {

constexpr int kRows = 128, kColumns = 64, kStep = 16, kThreads = 128;
// Padding keeps rows 16-byte aligned and takes half of the conflicts off the turned stores.
constexpr int kAStride = kRows + 4;
constexpr int kALoads = kRows * kStep / 4 / kThreads, kBLoads = kColumns * kStep / 4 / kThreads;

struct alignas(16) Float4 {
  float value[4];
};

struct Arguments {
  ImageGeometry image;
  CardEpilogue epilogue;
  DeviceRows rows;
  int64_t pixels;  // of one image
  const float* x;
  const float* weight;
  int column_tiles;
  int depth;
};

// Four columns of one k, zero beyond the last of either.
__device__ __forceinline__ Float4 load_weight(const Arguments& p, int k, int column) {
  Float4 four{};
  if (k >= p.depth) return four;
  const float* from = p.weight + int64_t{k} * p.epilogue.columns + column;
  if (p.epilogue.columns % 4 == 0) {
    if (column < p.epilogue.columns) four = *reinterpret_cast<const Float4*>(from);
    return four;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    if (column + i < p.epilogue.columns) four.value[i] = from[i];
  }
  return four;
}

__global__ void __launch_bounds__(kThreads) igemm_f32_kernel(Arguments p) {
  ptx::grid_dependency_wait();
  SPINERT_SHARED(Float4, a_shared, kStep * kAStride / 4);
  SPINERT_SHARED(Float4, b_shared, kStep * kColumns / 4);
  const int64_t rows = p.rows.get() * p.pixels;
  const int64_t first_row = int64_t{blockIdx.x} / p.column_tiles * kRows;
  const int first_column = static_cast<int>(blockIdx.x) % p.column_tiles * kColumns;
  if (first_row >= rows) return;
  const int thread = static_cast<int>(threadIdx.x);

  // Loads: four channels of rows thread / 4 + 32 i; four columns of k thread / 16 + 8 i.
  const int a_chunk = thread % 4, a_row = thread / 4, b_chunk = thread % 16, b_k = thread / 16;
  TapWalk walk(p.image, a_chunk * 4);
  Window window[kALoads];
#pragma unroll
  for (int i = 0; i < kALoads; ++i) window[i] = window_of(p.image, first_row + a_row + i * 32, rows);
  // Products: rows 4 down + {0..3} and 64 more, columns 8 across + {0..7}.
  const int down = thread / 8, across = thread % 8;
  float sum[8][8] = {};

  for (int k0 = 0; k0 < p.depth; k0 += kStep) {
    Float4 a[kALoads], b[kBLoads];
    const int64_t offset = walk.offset(p.image);
#pragma unroll
    for (int i = 0; i < kALoads; ++i) {
      const bool inside = walk.inside(p.image) && window[i].covers(p.image, walk.dy(p.image), walk.dx(p.image));
      a[i] = inside ? *reinterpret_cast<const Float4*>(p.x + (window[i].start + offset)) : Float4{};
    }
#pragma unroll
    for (int i = 0; i < kBLoads; ++i) b[i] = load_weight(p, k0 + b_k + i * 8, first_column + b_chunk * 4);
    walk.advance(p.image, kStep);
    __syncthreads();  // nobody reads the step before
#pragma unroll
    for (int i = 0; i < kALoads; ++i) {
      const int row = a_row + i * 32;
#pragma unroll
      for (int c = 0; c < 4; ++c) a_shared[(a_chunk * 4 + c) * (kAStride / 4) + row / 4].value[row % 4] = a[i].value[c];
    }
    // Chunk 2 n of a row goes to place n, chunk 2 n + 1 to place 8 + n: the eight threads of a row then read
    // neighbouring chunks.
#pragma unroll
    for (int i = 0; i < kBLoads; ++i) {
      b_shared[(b_k + i * 8) * (kColumns / 4) + b_chunk % 2 * 8 + b_chunk / 2] = b[i];
    }
    __syncthreads();
#pragma unroll 4
    for (int k = 0; k < kStep; ++k) {
      const Float4 a_low = a_shared[k * (kAStride / 4) + down], a_high = a_shared[k * (kAStride / 4) + 16 + down];
      const Float4 b_low = b_shared[k * (kColumns / 4) + across], b_high = b_shared[k * (kColumns / 4) + 8 + across];
#pragma unroll
      for (int r = 0; r < 8; ++r) {
        const float value = r < 4 ? a_low.value[r % 4] : a_high.value[r % 4];
#pragma unroll
        for (int c = 0; c < 8; ++c) {
          sum[r][c] = fmaf(value, c < 4 ? b_low.value[c % 4] : b_high.value[c % 4], sum[r][c]);
        }
      }
    }
  }
  ptx::grid_dependency_launch();
  const int column = first_column + across * 8;
  if (column >= p.epilogue.columns) return;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const int64_t row = first_row + down * 4 + r % 4 + r / 4 * 64;
    if (row < rows) finish_8<float>(p.epilogue, row, column, sum[r]);
  }
}

}  // namespace

void igemm_f32(const CudaIgemm& call, const float* weight, const RunContext& context) {
  const Arguments p{.image = call.image,
                    .epilogue = call.epilogue,
                    .rows = device_rows(call.x),
                    .pixels = call.pixels(),
                    .x = call.x.f32(),
                    .weight = weight,
                    .column_tiles = (call.epilogue.columns + kColumns - 1) / kColumns,
                    .depth = static_cast<int>(call.depth())};
  const int64_t row_tiles = (call.capacity() * call.pixels() + kRows - 1) / kRows;
  launch(context, {.grid_x = row_tiles * p.column_tiles, .block = kThreads}, igemm_f32_kernel, p);
}

}  // namespace spinert
