// fpn_merge_wgmma_sm90a.cu - fpn_merge on Hopper: four matrix products, one for each phase (a, b) of the output, in
// one persistent launch; two feature maps by TMA im2col into one wgmma sum
//
// Layout    maps NHWC halves, Q and C multiples of 64; weight packed [O padded to 32, permuted][9Q + 16C]
//           (pack_weight); y NHWC, every second row and column of it for one phase
// Tile      128 coarse pixels x 256 output channels of one phase by two warpgroups, 64 k a step
// Work      network: 4 x 16,384 pixels x 256 x (9 x 64 + 4 x 256) = 26.8 GMAC, where the two convolutions have 39.7
// Bound     tensor cores: 53.7 GFLOP at 790 TFLOP/s 68 us. Memory: 8.4 MB fine, 8.4 MB coarse, 2.4 MB weight,
//           33.6 MB output at 4.3 TB/s 12 us; the merged map (33.6 MB written and read) is saved
// Measured  not yet: no card was available; predicted for an H200: 512 tiles are 4 rounds of 132 blocks, of which
//           3.88 are used, each 25 steps of 1024 cycles and about 1500 cycles of stores: 108,000 cycles
// Rejects   f32; Q % 64 or C % 64 != 0; O % 8 != 0; an output that is neither of the type of the maps nor f32; 2^31
//           pixels
// Numerics  f32 sums in the order of the weight's rows, composed weights rounded to T once; same bytes for every
//           batch
// Tried     nothing else
#include "kernels/base/gemm_launch_sm90a.cuh"
#include "kernels/base/igemm_cuda.h"
#include "kernels/fpn_merge/fpn_merge.h"

namespace spinert {
namespace {

constexpr int kColumns = 256, kPhases = static_cast<int>(kFpnPhases);
template <class T>
using MergeTile = sm90a::Tile<T, kColumns>;

struct Maps {
  ptx::TensorMap fine[kPhases], coarse[kPhases], weight;
};

struct Params {
  DeviceRows images;
  int height, width;               // of the coarse map
  int fine_chunks, coarse_chunks;  // steps of one tap
  int column_tiles;
  const float* border;
  sm90a::GemmEpilogue epilogue;
  sm90a::GemmTarget target;

  __device__ int rows() const { return static_cast<int>(images.get()) * height * width; }
  __device__ int items() const { return (rows() + sm90a::kTileRows - 1) / sm90a::kTileRows * column_tiles * kPhases; }
  __device__ int steps() const {
    return static_cast<int>(kFpnFineTaps) * fine_chunks + static_cast<int>(kFpnCoarseTaps) * coarse_chunks;
  }
};

// Items that share their pixels follow each other: columns fastest, then phases.
struct Item {
  int phase, column, row;

  __device__ Item(const Params& p, int index)
      : phase(index / p.column_tiles % kPhases),
        column(index % p.column_tiles * kColumns),
        row(index / p.column_tiles / kPhases * sm90a::kTileRows) {}
};

// One map's part of an item's steps: taps in order, channels of a tap in chunks. `k` is the row of the weight.
template <class Tile>
__device__ __forceinline__ void load_map(const ptx::TensorMap* map, const ptx::TensorMap* weight,
                                         sm90a::Ring<Tile::kStages>& ring, uint32_t shared, const int (&corner)[3],
                                         int kernel, int chunks, int column, int k) {
  for (int tap = 0; tap < kernel * kernel; ++tap) {
    for (int chunk = 0; chunk < chunks; ++chunk) {
      const uint32_t a = shared + ring.stage * Tile::kStageBytes, b = a + Tile::kBytesA, full = ring.full();
      ptx::mbarrier_wait(ring.empty(), ring.parity ^ 1);
      ptx::mbarrier_expect_tx(full, Tile::kStageBytes);
      ptx::tma_load_im2col_4d(a, map, full, chunk * sm90a::kChunk, corner[0], corner[1], corner[2],
                              static_cast<uint16_t>(tap % kernel), static_cast<uint16_t>(tap / kernel));
      ptx::tma_load_tile_2d(b, weight, full, k, column);
      k += sm90a::kChunk;
      ring.advance();
    }
  }
}

// The thread that loads.
template <class Tile>
__device__ __forceinline__ void load_items(const Maps& maps, const Params& p, uint32_t shared) {
  sm90a::Ring<Tile::kStages> ring{shared + sm90a::kRingBytes};
  const int fine_rows = static_cast<int>(kFpnFineTaps) * p.fine_chunks * sm90a::kChunk;
  const int phase_rows = static_cast<int>(kFpnCoarseTaps) * p.coarse_chunks * sm90a::kChunk;
  for (int index = static_cast<int>(blockIdx.x); index < p.items(); index += static_cast<int>(gridDim.x)) {
    const Item item(p, index);
    const int line = item.row / p.width, x = item.row % p.width, image = line / p.height, y = line % p.height;
    const int a = item.phase / 2 - 1, b = item.phase % 2 - 1;
    const int fine[3] = {2 * x + b, 2 * y + a, image}, coarse[3] = {x + b, y + a, image};
    load_map<Tile>(&maps.fine[item.phase], &maps.weight, ring, shared, fine, 3, p.fine_chunks, item.column, 0);
    load_map<Tile>(&maps.coarse[item.phase], &maps.weight, ring, shared, coarse, 2, p.coarse_chunks, item.column,
                   fine_rows + item.phase * phase_rows);
  }
}

// The 64 rows of a warpgroup; as store_tile, with a bias and a place of its own for each row.
template <class T>
__device__ __forceinline__ void store_item(const Params& p, const Item& item, int first_row,
                                           const float (&sum)[kColumns / 2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32 % 4, rows = p.rows();
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = item.row + first_row + 16 * warp + lane / 4 + 8 * r;
    if (row >= rows) continue;
    const int line = row / p.width, y = line % p.height * 2 + item.phase / 2;
    const int x = row % p.width * 2 + item.phase % 2;
    const int64_t pixel = (int64_t{line} * 2 + item.phase / 2) * (2 * p.width) + x;  // lines count through all pictures
    const int64_t cell = fpn_merge_class(y, 2 * p.height) * 3 + fpn_merge_class(x, 2 * p.width);
    const float* border = p.border + cell * p.epilogue.columns;
#pragma unroll
    for (int group = 0; group < kColumns / sm90a::kColumnGroup; ++group) {
      const int64_t column = item.column + group * sm90a::kColumnGroup + lane % 4 * sm90a::kEight;
      if (column >= p.epilogue.columns) continue;
      float bias[sm90a::kEight], eight[sm90a::kEight];
      load_8(border + column, bias);
#pragma unroll
      for (int i = 0; i < sm90a::kEight; ++i) eight[i] = sum[16 * group + 4 * (i / 2) + 2 * r + i % 2];
      sm90a::finish_eight<T>(p.epilogue, p.target, pixel, 0, column, bias, eight);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(sm90a::kThreads, 1)
    fpn_merge_wgmma_kernel(const __grid_constant__ Maps maps, const __grid_constant__ Params p) {
  using Tile = MergeTile<T>;
  const uint32_t shared = ptx::shared_address(dynamic_shared());
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      const sm90a::Ring<Tile::kStages> ring{shared + sm90a::kRingBytes, stage};
      ptx::mbarrier_init(ring.full(), 1);
      ptx::mbarrier_init(ring.empty(), Tile::kReaders);
    }
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  ptx::grid_dependency_wait();
  const int warpgroup = static_cast<int>(threadIdx.x) / 128;
  // Registers of 128 * 40 + 256 * 232 fit into the 384 * 168 that the launch bounds give.
  if (warpgroup == 0) {
    ptx::setmaxnreg_dec<40>();
    if (threadIdx.x == 0) {
      load_items<Tile>(maps, p, shared);
      ptx::grid_dependency_launch();
    }
  } else {
    ptx::setmaxnreg_inc<232>();
    sm90a::Ring<Tile::kStages> ring{shared + sm90a::kRingBytes};
    float sum[1][kColumns / 2] = {};
    for (int index = static_cast<int>(blockIdx.x); index < p.items(); index += static_cast<int>(gridDim.x)) {
      sm90a::multiply<Tile>(ring, shared, warpgroup - 1, p.steps(), sum);
      store_item<T>(p, Item(p, index), 64 * (warpgroup - 1), sum[0]);
    }
  }
}

// One tap of all rows: Q and C are multiples of 64, so that no step lies in two parts of the weight wherever Wc ends.
sm90a::WeightShape weight_shape(const OpCall& call) {
  const Shape& w = call.in[kFpnWeight].shape;
  return {1, w[0], w[1]};
}
int64_t packed_bytes(const OpCall& call) {
  return weight_shape(call).bytes();
}
void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  sm90a::pack_weight(weight_shape(call), call.in[kFpnFine].dtype, call.in[kFpnWeight].f32(), packed, pool);
}

const char* rejects(const OpCall& call) {
  const Tensor &fine = call.in[kFpnFine], &coarse = call.in[kFpnCoarse], &y = call.out[0];
  if (!is_half(fine.dtype)) return "needs f16 or bf16";
  if (y.dtype != fine.dtype && y.dtype != DType::f32) return "output of the other half type";
  if (fine.shape[3] % sm90a::kChunk != 0 || coarse.shape[3] % sm90a::kChunk != 0) {
    return "input channels not a multiple of 64";
  }
  if (y.shape[3] % sm90a::kEight != 0) return "output channels not a multiple of 8";
  return igemm_cuda_rejects(fine.shape[0] * fine.shape[1] * fine.shape[2], call.in[kFpnWeight].shape[0]);
}

// Phase (a, b) reads coarse pixel (y, x) from corner (step y + a - 1, step x + b - 1) on, which lies inside the box for
// every one of them and for nothing else.
Result<ptx::TensorMap> map_of(const Tensor& map, int phase, int step) {
  const Shape& m = map.shape;
  const int64_t pixel = m[3] * size_of(map.dtype);
  const int a = phase / 2, b = phase % 2;
  return make_im2col_map({.dtype = map.dtype,
                          .base = map.data,
                          .dims = {m[3], m[2], m[1], m[0]},
                          .strides = {pixel, pixel * m[2], pixel * m[2] * m[1]},
                          .lower = {b - 1, a - 1},
                          .upper = {b - step, a - step},
                          .steps = {step, step},
                          .channels = sm90a::kChunk,
                          .pixels = sm90a::kTileRows,
                          .swizzle = ptx::Swizzle::bytes128});
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const Tensor &fine = call.in[kFpnFine], &coarse = call.in[kFpnCoarse], &y = call.out[0];
  const Shape& c = coarse.shape;
  if (c[0] == 0) return;
  const sm90a::WeightShape weight = weight_shape(call);
  Maps maps{};
  const auto keep = [&](const Result<ptx::TensorMap>& map, ptx::TensorMap& to) {
    if (map.ok()) to = map.value();
    if (!map.ok()) context.stream->fail(map.status());
    return map.ok();
  };
  for (int phase = 0; phase < kPhases; ++phase) {
    if (!keep(map_of(fine, phase, 2), maps.fine[phase]) || !keep(map_of(coarse, phase, 1), maps.coarse[phase])) return;
  }
  const auto weight_map = make_tile_map({.dtype = fine.dtype,
                                         .base = context.packed,
                                         .dims = {weight.packed_k(), weight.packed_columns()},
                                         .strides = {weight.packed_k() * 2},
                                         .box = {sm90a::kChunk, kColumns},
                                         .swizzle = ptx::Swizzle::bytes128});
  if (!keep(weight_map, maps.weight)) return;
  const Params p{.images = device_rows(fine),
                 .height = static_cast<int>(c[1]),
                 .width = static_cast<int>(c[2]),
                 .fine_chunks = static_cast<int>(fine.shape[3] / sm90a::kChunk),
                 .coarse_chunks = static_cast<int>(c[3] / sm90a::kChunk),
                 .column_tiles = static_cast<int>((y.shape[3] + kColumns - 1) / kColumns),
                 .border = call.in[kFpnBorder].f32(),
                 .epilogue = sm90a::gemm_epilogue(nullptr, Activation::none, y),
                 .target = {.y = y.data}};
  const int64_t row_tiles = (c[0] * c[1] * c[2] + sm90a::kTileRows - 1) / sm90a::kTileRows;
  launch(context,
         {.grid_x = std::min<int64_t>(row_tiles * p.column_tiles * kPhases, context.stream->card().multiprocessors),
          .block = sm90a::kThreads,
          .shared = sm90a::kRingBytes + sm90a::kBarrierBytes},
         fpn_merge_wgmma_kernel<T>, maps, p);
}

void run(const OpCall& call, const RunContext& context) {
  if (call.in[kFpnFine].dtype == DType::f16) return run_typed<f16>(call, context);
  run_typed<bf16>(call, context);
}

}  // namespace

extern const Kernel fpn_merge_wgmma_sm90a;
const Kernel fpn_merge_wgmma_sm90a = {.rejects = rejects, .run = run, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
