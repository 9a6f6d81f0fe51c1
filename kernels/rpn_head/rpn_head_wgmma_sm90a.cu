// rpn_head_wgmma_sm90a.cu - rpn_head on Hopper: one persistent launch over all levels; the 3x3 convolution by TMA
// im2col and wgmma, its sums straight from the registers into the second product
//
// Layout    maps NHWC halves, C a multiple of 64; 3x3 weight packed [tap][K padded to 32, permuted][C]
//           (pack_weight); 1x1 weights f32 as they are, rounded to T once in a block on their way to shared memory
// Tile      128 pixels x 256 hidden channels by two warpgroups, 64 k a step; then 16 rows x 256 x 5A a warp by mma
// Work      network: 51.5 GMAC, 2304 x 256 + 256 x 15 for each of 87,296 pixels in 682 tiles; per tile 36 steps of
//           8 wgmma m64n256k16 and, of each warp, 64 mma
// Bound     tensor cores: 103 GFLOP at 790 TFLOP/s 130 us. Memory: 44.7 MB of maps, 5.2 MB of outputs at 4.3 TB/s
//           12 us; the hidden maps (44.7 MB written and read) and 14 launches are saved
// Measured  not yet: no card was available; predicted for an H200: 682 tiles are 6 rounds of 132 blocks, of which
//           5.17 are used, each 36 steps of 1024 cycles and about 2000 cycles of epilogue: 233,000 cycles
// Rejects   f32; C % 64 != 0; K > 256; A > 12 (their weights would not fit beside the ring); 2^31 pixels
// Numerics  f32 sums in the order (tap, channel). A hidden number enters the second product as two halves, itself
//           rounded and the rest: an error of 2^-22 (f16) or 2^-16 (bf16). Same bytes in every run
// Tried     nothing else
#include "kernels/base/gemm_launch_sm90a.cuh"
#include "kernels/rpn_head/rpn_head_cuda.h"
#include "kernels/rpn_head/rpn_second.cuh"

namespace spinert {
namespace {

constexpr int kLevels = static_cast<int>(kRpnHeadMaxLevels), kHidden = 256;
template <class T>
using HeadTile = sm90a::Tile<T, kHidden>;
using Maps = sm90a::GemmMaps<kLevels>;
using Params = sm90a::GemmParams<kLevels>;

constexpr int kSecondOffset = sm90a::kRingBytes + sm90a::kBarrierBytes;
constexpr int shared_bytes(int anchors) {
  return kSecondOffset + rpn_second_bytes(anchors, kHidden);
}
static_assert(shared_bytes(kRpnMostAnchors) <= (227 << 10));

// The hidden channel whose sum stands at column `place` of the product (sm90a::packed_column is its own inverse).
__device__ __forceinline__ int channel_at(int place) {
  return place / 32 * 32 + place % 8 / 2 * 8 + place % 32 / 8 * 2 + place % 2;
}

// The 64 rows of a warpgroup: bias and relu, the second product, store. Of every eight columns thread 4 g + t of a warp
// holds 2t, 2t + 1 of the rows g and g + 8, as after an mma.
template <class T>
__device__ __forceinline__ void finish_tile(const RpnCall& call, int tile, int first_row, uint32_t second,
                                            float (&sum)[kHidden / 2]) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32 % 4;
#pragma unroll
  for (int octet = 0; octet < kHidden / 8; ++octet) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      // channel_at(octet * 8 + lane % 4 * 2 + i), so that all but one term is known to the compiler
      const int channel = lane % 4 * 8 + (octet / 4 * 32 + octet % 4 * 2 + i);
      const bool inside = channel < call.hidden;
      const float bias = inside ? call.bias[channel] : 0.0f;
      sum[octet * 4 + i] = rpn_hidden(sum[octet * 4 + i], bias, inside);
      sum[octet * 4 + i + 2] = rpn_hidden(sum[octet * 4 + i + 2], bias, inside);
    }
  }
  const RpnLevel level = rpn_level_of(call, tile);
  const int rows = level.height * level.width;
  const int thread_row = (tile - level.first_tile) * sm90a::kTileRows + first_row + 16 * warp + lane / 4;
  for (int output = 0; output < 5 * call.anchors; output += kRpnGroup) {
    float part[kRpnGroup / 8][4] = {};
#pragma unroll
    for (int pair = 0; pair < kHidden / 16; ++pair) {
      uint32_t b[2][2];
      rpn_second_weights(second, kHidden, output, pair, b);
      const float low[4] = {sum[pair * 8], sum[pair * 8 + 1], sum[pair * 8 + 2], sum[pair * 8 + 3]};
      const float high[4] = {sum[pair * 8 + 4], sum[pair * 8 + 5], sum[pair * 8 + 6], sum[pair * 8 + 7]};
      rpn_second_step<T>(low, high, b, part);
    }
#pragma unroll
    for (int o = 0; o < kRpnGroup / 8; ++o) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = thread_row + i / 2 * 8;
        const int column = output + o * 8 + lane % 4 * 2 + i % 2;
        if (row >= rows || column >= 5 * call.anchors) continue;
        const RpnOutput out = rpn_output(call, level, row, column);
        *out.to = part[o][i] + *out.bias;
      }
    }
  }
}

template <class T>
__global__ void __launch_bounds__(sm90a::kThreads, 1)
    rpn_head_wgmma_kernel(const __grid_constant__ Maps maps, const __grid_constant__ Params p,
                          const __grid_constant__ RpnCall call) {
  using Tile = HeadTile<T>;
  const uint32_t shared = ptx::shared_address(dynamic_shared());
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < Tile::kStages; ++stage) {
      const sm90a::Ring<Tile::kStages> ring{shared + sm90a::kRingBytes, stage};
      ptx::mbarrier_init(ring.full(), 1);
      ptx::mbarrier_init(ring.empty(), Tile::kReaders);
    }
    ptx::fence_mbarrier_init();
  }
  // Constants: nothing before this kernel writes them.
  for (int i = static_cast<int>(threadIdx.x); i < rpn_padded_outputs(call.anchors) * kHidden; i += sm90a::kThreads) {
    const int o = i / kHidden, place = i % kHidden;
    rpn_second_store<T>(call, dynamic_shared() + kSecondOffset, kHidden, o, place, channel_at(place));
  }
  __syncthreads();
  ptx::grid_dependency_wait();
  const int warpgroup = static_cast<int>(threadIdx.x) / 128;
  // Registers of 128 * 40 + 256 * 232 fit into the 384 * 168 that the launch bounds give.
  if (warpgroup == 0) {
    ptx::setmaxnreg_dec<40>();
    if (threadIdx.x == 0) {
      sm90a::load_tiles<Tile>(maps, p, sm90a::GemmWalk<kLevels>(p.work), shared);
      ptx::grid_dependency_launch();
    }
  } else {
    ptx::setmaxnreg_inc<232>();
    sm90a::Ring<Tile::kStages> ring{shared + sm90a::kRingBytes};
    float sum[1][kHidden / 2] = {};
    // Items of the walk are the tiles of the call in the same order.
    for (int tile = static_cast<int>(blockIdx.x); tile < call.tiles; tile += static_cast<int>(gridDim.x)) {
      sm90a::multiply<Tile>(ring, shared, warpgroup - 1, p.work.chunks, sum);
      finish_tile<T>(call, tile, 64 * (warpgroup - 1), shared + kSecondOffset, sum[0]);
    }
  }
}

sm90a::WeightShape weight_shape(const OpCall& call) {
  const Shape& w = call.in[kRpnWeight].shape;
  return {w[0] * w[1], w[2], w[3]};
}
int64_t packed_bytes(const OpCall& call) {
  return weight_shape(call).bytes();
}
void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  sm90a::pack_weight(weight_shape(call), call.in[kRpnMap0].dtype, call.in[kRpnWeight].f32(), packed, pool);
}

const char* rejects(const OpCall& call) {
  if (!is_half(call.in[kRpnMap0].dtype)) return "needs f16 or bf16";
  if (call.in[kRpnMap0].shape[3] % sm90a::kChunk != 0) return "channels not a multiple of 64";
  if (call.in[kRpnBias].shape[0] > kHidden) return "more than 256 hidden channels";
  if (call.in[kRpnLogitsBias].shape[0] > kRpnMostAnchors) return "more than 12 anchors in one place";
  return rpn_head_cuda_rejects(call);
}

Result<ptx::TensorMap> map_of(const Tensor& map) {
  const Shape& m = map.shape;
  const int64_t pixel = m[3] * size_of(map.dtype);
  return make_im2col_map({.dtype = map.dtype,
                          .base = map.data,
                          .dims = {m[3], m[2], m[1], 1},
                          .strides = {pixel, pixel * m[2], pixel * m[2] * m[1]},
                          .lower = {-1, -1},
                          .upper = {-1, -1},
                          .channels = sm90a::kChunk,
                          .pixels = sm90a::kTileRows,
                          .swizzle = ptx::Swizzle::bytes128});
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const RpnCall head = rpn_head_cuda_call(call, sm90a::kTileRows);
  if (head.tiles == 0) return;
  const sm90a::WeightShape weight = weight_shape(call);
  Maps maps{};
  Params p{};
  for (int l = 0; l < head.levels; ++l) {
    const RpnLevel& level = head.level[l];
    p.work.pixels[l] = level.height * level.width;
    if (p.work.pixels[l] == 0) continue;  // no tile, hence no load
    const auto map = map_of(call.in[rpn_head_map(static_cast<size_t>(l))]);
    if (!map.ok()) return context.stream->fail(map.status());
    maps.a[l] = map.value();
    p.target[l].pixels = p.work.pixels[l];
    p.target[l].width = level.width;
  }
  const auto b = make_tile_map({.dtype = call.in[kRpnMap0].dtype,
                                .base = context.packed,
                                .dims = {weight.packed_k(), weight.taps * weight.packed_columns()},
                                .strides = {weight.packed_k() * 2},
                                .box = {sm90a::kChunk, kHidden},
                                .swizzle = ptx::Swizzle::bytes128});
  if (!b.ok()) return context.stream->fail(b.status());
  maps.b = b.value();
  p.work.images = {.count = nullptr, .capacity = 1, .scale = 1};
  p.work.column_tiles = 1;
  p.work.chunks = static_cast<int>(weight.depth() / sm90a::kChunk);
  p.work.segments = 1;
  p.im2col = true;
  p.kernel_w = 3;
  p.stride = p.padding = p.dilation = 1;
  p.chunks_per_tap = static_cast<int>(weight.packed_k() / sm90a::kChunk);
  p.packed_columns = static_cast<int>(weight.packed_columns());
  launch(context,
         {.grid_x = std::min(head.tiles, context.stream->card().multiprocessors),
          .block = sm90a::kThreads,
          .shared = shared_bytes(head.anchors)},
         rpn_head_wgmma_kernel<T>, maps, p, head);
}

void run(const OpCall& call, const RunContext& context) {
  if (call.in[kRpnMap0].dtype == DType::f16) return run_typed<f16>(call, context);
  run_typed<bf16>(call, context);
}

}  // namespace

extern const Kernel rpn_head_wgmma_sm90a;
const Kernel rpn_head_wgmma_sm90a = {.rejects = rejects, .run = run, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
