// fpn_merge_igemm_sm80.cu - fpn_merge in f16 and bf16 as four implicit matrix products, one for each phase (a, b) of
// the output, in one launch
//
// Layout   maps NHWC; weight packed as [step of 32 rows][O][32] (igemm_half_pack): the steps of Wc, which all phases
//          share, then those of K, phase by phase; output NHWC, every second row and column of it for one phase
// Tile     128 coarse pixels x 128 output channels of one phase (4 warps of 64x64), k in steps of 32, 4 stages
// Work     network: 4 x 16,384 pixels x 256 x (9 x 64 + 4 x 256) = 26.8 GMAC, where the two convolutions have 39.7
// Bound    tensor cores: 53.7 GFLOP at 790 TFLOP/s 68 us. Memory: 8.4 MB fine, 8.4 MB coarse, 2.4 MB weights, 33.6 MB
//          output at 4.3 TB/s 12 us; the merged map (33.6 MB written and read) is saved
// Measured not yet: no card was available; predicted from 1024 tiles on 2 x 132 places (4 rounds of 2 blocks that share
//          1024 products per clock): 205,000 clocks
// Rejects  f32; Q % 32 != 0 (a step would lie in Wc and K); C % 8 != 0; 2^31 pixels or rows of the weight
// Numerics f32 sums in the order of the weight's rows, composed weights rounded to T once; same bytes for every batch
// Tried    nothing else yet
#include "kernels/base/image_rows.cuh"
#include "kernels/fpn_merge/fpn_merge.h"

namespace spinert {
namespace {

using MergeTile = GemmTile<128, 128, 2, 2>;

struct Arguments {
  ImageGeometry fine, coarse;  // as convolutions with the coarse extent, phase (0, 0)
  DeviceRows rows;
  int64_t pixels;  // of one coarse picture
  const void *fine_map, *coarse_map, *packed;
  const float* border;
  CardEpilogue epilogue;
  int column_tiles;
  int fine_steps, coarse_steps;  // of one phase
};

// LoadA of gemm_sm80.cuh: rows are coarse pixels; k walks the nine taps of the fine map at stride 2, then the four of
// the coarse one. Phase (a, b) reads both a lines and b columns further on than phase (0, 0).
template <class T>
class MergeRows {
 public:
  __device__ MergeRows(const Arguments& p, int64_t first_row, int64_t rows, int phase)
      : p_(p),
        g_(p.fine),
        map_(static_cast<const T*>(p.fine_map)),
        walk_(p.fine, chunk() * 8),
        first_row_(first_row),
        rows_(rows),
        phase_(phase),
        steps_left_(p.fine_steps) {
    place();
  }
  __device__ __forceinline__ void load(uint32_t buffer) {
    if (steps_left_ == 0) {
      g_ = p_.coarse;
      map_ = static_cast<const T*>(p_.coarse_map);
      walk_ = TapWalk(g_, chunk() * 8);
      place();
    }
    --steps_left_;  // never 0 again in the coarse map
    const int64_t offset = walk_.offset(g_);
    const int dy = walk_.dy(g_), dx = walk_.dx(g_);
    const bool tap = walk_.inside(g_);
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      const bool inside = tap && window_[i].covers(g_, dy, dx);
      ptx::cp_async_16(buffer + static_cast<uint32_t>(gemm_offset(row(i), chunk())),
                       inside ? map_ + (window_[i].start + offset) : map_, inside ? 16 : 0);
    }
    walk_.advance(g_, kGemmStep);
  }

 private:
  static constexpr int kLoads = kGemmChunks * MergeTile::kRows / MergeTile::kThreads;
  __device__ static int chunk() {
    return static_cast<int>(threadIdx.x) % kGemmChunks;
  }
  __device__ static int row(int i) {
    return static_cast<int>(threadIdx.x) / kGemmChunks + i * (MergeTile::kThreads / kGemmChunks);
  }
  __device__ __forceinline__ void place() {
    const int a = phase_ / 2, b = phase_ % 2;
#pragma unroll
    for (int i = 0; i < kLoads; ++i) {
      window_[i] = window_of(g_, first_row_ + row(i), rows_);
      window_[i].y += a;
      window_[i].x += b;
      window_[i].start += (int64_t{a} * g_.in_w + b) * g_.in_c;
    }
  }

  const Arguments& p_;
  ImageGeometry g_;
  const T* map_;
  TapWalk walk_;
  Window window_[kLoads];
  int64_t first_row_, rows_;
  int phase_, steps_left_;
};

// B: the steps of Wc, then those of the phase.
class MergeWeights {
 public:
  __device__ MergeWeights(const Arguments& p, int first_column, int phase)
      : fine_(p.packed, p.epilogue.columns, first_column, 0),
        coarse_(p.packed, p.epilogue.columns, first_column, p.fine_steps + phase * p.coarse_steps),
        steps_left_(p.fine_steps) {}
  __device__ __forceinline__ void load(uint32_t buffer) {
    if (steps_left_ == 0) fine_ = coarse_;
    --steps_left_;
    fine_.load(buffer);
  }

 private:
  GemmWeights<MergeTile> fine_, coarse_;
  int steps_left_;
};

// Blocks that share their rows of A run next to each other: column tiles fastest, then phases.
template <class T>
__global__ void __launch_bounds__(MergeTile::kThreads, 2) fpn_merge_igemm_kernel(Arguments p) {
  ptx::grid_dependency_wait();
  const int number = static_cast<int>(blockIdx.x), phase = number / p.column_tiles % static_cast<int>(kFpnPhases);
  const int first_column = number % p.column_tiles * MergeTile::kColumns;
  const int64_t first_row = int64_t{number / p.column_tiles / static_cast<int>(kFpnPhases)} * MergeTile::kRows;
  const int64_t rows = p.rows.get() * p.pixels;
  if (first_row >= rows) return;
  unsigned char* shared = dynamic_shared();
  MergeRows<T> a(p, first_row, rows, phase);
  MergeWeights b(p, first_column, phase);
  MergeTile tile;
  gemm_accumulate<T>(tile, a, b, p.fine_steps + p.coarse_steps, shared);
  ptx::grid_dependency_launch();

  gemm_store(tile, shared, [&](int row, int column, float(&sum)[8]) {
    const int64_t to_row = first_row + row;
    if (to_row >= rows || first_column + column >= p.epilogue.columns) return;
    const uint32_t pixel = static_cast<uint32_t>(to_row), width = static_cast<uint32_t>(p.coarse.out_w);
    const uint32_t line = pixel / width, height = static_cast<uint32_t>(p.coarse.out_h);
    const int y = static_cast<int>(line % height) * 2 + phase / 2;
    const int x = static_cast<int>(pixel - line * width) * 2 + phase % 2;
    CardEpilogue epilogue = p.epilogue;
    epilogue.bias =
        p.border + (fpn_merge_class(y, p.fine.in_h) * 3 + fpn_merge_class(x, p.fine.in_w)) * p.epilogue.columns;
    const int64_t out_line = int64_t{line} * 2 + phase / 2;  // counts through all pictures
    finish_8<T>(epilogue, out_line * p.fine.in_w + x, first_column + column, sum);
  });
}

const char* rejects(const OpCall& call) {
  const Tensor &fine = call.in[kFpnFine], &coarse = call.in[kFpnCoarse];
  if (!is_half(fine.dtype)) return "f32 activations";
  if (fine.shape[3] % kGemmStep != 0) return "fine channels not a multiple of 32";
  if (coarse.shape[3] % 8 != 0) return "coarse channels not a multiple of 8";
  return igemm_cuda_rejects(fine.shape[0] * fine.shape[1] * fine.shape[2], call.in[kFpnWeight].shape[0]);
}

int64_t packed_bytes(const OpCall& call) {
  const Shape& w = call.in[kFpnWeight].shape;
  return igemm_half_packed_bytes(w[0], w[1]);
}

// Q is a multiple of 32 and C of 8, so that Wc and each phase of K fill whole steps: the packed form does not depend on
// where one ends.
void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  const Shape& w = call.in[kFpnWeight].shape;
  igemm_half_pack(call.in[kFpnWeight].f32(), w[0], w[1], call.in[kFpnFine].dtype, packed, pool);
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const Tensor &fine = call.in[kFpnFine], &coarse = call.in[kFpnCoarse], &y = call.out[0];
  const auto geometry = [&](const Shape& map, int kernel, int stride) {
    return ImageGeometry{.in_h = static_cast<int>(map[1]),
                         .in_w = static_cast<int>(map[2]),
                         .in_c = static_cast<int>(map[3]),
                         .kernel_h = kernel,
                         .kernel_w = kernel,
                         .stride = stride,
                         .padding = 1,
                         .out_h = static_cast<int>(coarse.shape[1]),
                         .out_w = static_cast<int>(coarse.shape[2])};
  };
  Arguments p{.fine = geometry(fine.shape, 3, 2),
              .coarse = geometry(coarse.shape, 2, 1),
              .rows = device_rows(fine),
              .pixels = coarse.shape[1] * coarse.shape[2],
              .fine_map = fine.data,
              .coarse_map = coarse.data,
              .packed = context.packed,
              .border = call.in[kFpnBorder].f32(),
              .epilogue = {.y = y.data, .output = y.dtype, .columns = static_cast<int>(y.shape[3])},
              .column_tiles = static_cast<int>((y.shape[3] + MergeTile::kColumns - 1) / MergeTile::kColumns),
              .fine_steps = static_cast<int>(kFpnFineTaps * fine.shape[3] / kGemmStep),
              .coarse_steps = static_cast<int>(kFpnCoarseTaps * coarse.shape[3] / kGemmStep)};
  const int64_t row_tiles = (fine.shape[0] * p.pixels + MergeTile::kRows - 1) / MergeTile::kRows;
  launch(context,
         {.grid_x = row_tiles * kFpnPhases * p.column_tiles,
          .block = MergeTile::kThreads,
          .shared = MergeTile::kPipelineBytes},
         fpn_merge_igemm_kernel<T>, p);
}

void run(const OpCall& call, const RunContext& context) {
  if (call.in[kFpnFine].dtype == DType::f16) return run_typed<f16>(call, context);
  run_typed<bf16>(call, context);
}

}  // namespace

extern const Kernel fpn_merge_igemm_sm80;
const Kernel fpn_merge_igemm_sm80 = {.rejects = rejects, .run = run, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
