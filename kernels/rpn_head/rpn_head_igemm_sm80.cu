// rpn_head_igemm_sm80.cu - rpn_head in f16 and bf16: one persistent launch over all levels; the 3x3 convolution as an
// implicit matrix product whose result goes from the registers into the second product
//
// Layout   maps NHWC; 3x3 weight packed as [step of 32 (tap, channel)][K][32] (igemm_half_pack); 1x1 weights f32 as
//          they are, rounded to T on their way to shared memory
// Tile     128 pixels x 128 hidden channels (4 warps of 64x64), k in steps of 32, 4 stages; as many passes as K needs,
//          and 5A outputs rounded up to 16
// Work     network: 51.5 GMAC, 2304 x 256 + 256 x 15 for each of 87,296 pixels in 682 tiles; per tile and pass
//          128 x 128 x 2304 products and twice 128 x 128 x 16
// Bound    tensor cores: 103 GFLOP at 790 TFLOP/s 130 us. Memory: 44.7 MB of maps, 1.2 MB of weights, 5.2 MB of
//          outputs at 4.3 TB/s 12 us; the hidden maps (44.7 MB written and read) and 14 launches are saved
// Measured not yet: no card was available; predicted from 682 tiles on 2 x 132 places (3 rounds of 2 blocks that share
//          1024 products per clock, 2 passes each): 442,000 clocks
// Rejects  f32; C % 8 != 0; A > 12 (the sums of a tile would not fit beside the pipeline in 99 KB); 2^31 pixels
// Numerics f32 sums in the order (tap, channel). A hidden number enters the second product as two halves, itself
//          rounded and the rest: an error of 2^-22 (f16) or 2^-16 (bf16), where a stored map has 2^-11 or 2^-8.
//          Partial sums of 64 hidden channels are added in order: same bytes in every run
// Tried    nothing else yet
#include "kernels/base/image_rows.cuh"
#include "kernels/rpn_head/rpn_head_cuda.h"
#include "kernels/rpn_head/rpn_second.cuh"

namespace spinert {
namespace {

using HeadTile = GemmTile<128, 128, 2, 2>;
constexpr int kBlocksPerMultiprocessor = 2;

// The weight of the second product lies in the buffers of the first one, its sums behind them, with rows padded against
// bank conflicts.
static_assert(rpn_second_bytes(kRpnMostAnchors, HeadTile::kColumns) <= HeadTile::kPipelineBytes);

constexpr int totals_stride(int anchors) {
  return rpn_padded_outputs(anchors) + 4;
}
constexpr int shared_bytes(int anchors) {
  return HeadTile::kPipelineBytes + HeadTile::kRows * totals_stride(anchors) * 4;
}
static_assert(shared_bytes(kRpnMostAnchors) <= (99 << 10));

// Sums of one warp: 64 pixels x 16 outputs, as mma gives them.
struct SecondSums {
  float sum[HeadTile::kSlabs][kRpnGroup / 8][4];
};

// Adds the bias and takes relu; hidden channels beyond the last become 0 whatever their sum.
__device__ __forceinline__ void finish_hidden(HeadTile& tile, const RpnCall& p, int first_channel) {
  const int lane = static_cast<int>(threadIdx.x) % 32,
            across = static_cast<int>(threadIdx.x) / 32 % HeadTile::kWarpsAcross;
#pragma unroll
  for (int o = 0; o < HeadTile::kOctets; ++o) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int channel = first_channel + across * HeadTile::kWarpColumns + o * 8 + lane % 4 * 2 + i;
      const bool inside = channel < p.hidden;
      const float bias = inside ? p.bias[channel] : 0.0f;
#pragma unroll
      for (int s = 0; s < HeadTile::kSlabs; ++s) {
#pragma unroll
        for (int row = 0; row < 2; ++row) {
          float& value = tile.sum[s][o][row * 2 + i];
          value = rpn_hidden(value, bias, inside);
        }
      }
    }
  }
}

// Writes the part of the 1x1 weights that this pass needs.
template <class T>
__device__ __forceinline__ void load_second(const RpnCall& p, int first_channel, unsigned char* shared) {
  const int outputs = rpn_padded_outputs(p.anchors);
  for (int i = static_cast<int>(threadIdx.x); i < outputs * HeadTile::kColumns; i += HeadTile::kThreads) {
    const int place = i / outputs;
    rpn_second_store<T>(p, shared, HeadTile::kColumns, i % outputs, place, first_channel + place);
  }
}

// Of a warp: its 64 pixels x 64 hidden channels times 64 channels x 16 outputs from `output` on.
template <class T>
__device__ __forceinline__ void second_product(const HeadTile& tile, uint32_t second, int output, SecondSums& result) {
  const int across = static_cast<int>(threadIdx.x) / 32 % HeadTile::kWarpsAcross;
#pragma unroll
  for (int s = 0; s < HeadTile::kSlabs; ++s) {
#pragma unroll
    for (int o = 0; o < kRpnGroup / 8; ++o) {
#pragma unroll
      for (int i = 0; i < 4; ++i) result.sum[s][o][i] = 0.0f;
    }
  }
#pragma unroll
  for (int pair = 0; pair < HeadTile::kOctets / 2; ++pair) {
    uint32_t b[2][2];
    rpn_second_weights(second, HeadTile::kColumns, output, across * HeadTile::kOctets / 2 + pair, b);
#pragma unroll
    for (int s = 0; s < HeadTile::kSlabs; ++s) {
      rpn_second_step<T>(tile.sum[s][pair * 2], tile.sum[s][pair * 2 + 1], b, result.sum[s]);
    }
  }
}

// Adds a warp's sums to the totals of the tile, or begins them.
__device__ __forceinline__ void add_totals(const SecondSums& part, float* totals, int stride, int first_output,
                                           bool begin) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int first_row = static_cast<int>(threadIdx.x) / 32 / HeadTile::kWarpsAcross * HeadTile::kWarpRows;
#pragma unroll
  for (int s = 0; s < HeadTile::kSlabs; ++s) {
#pragma unroll
    for (int o = 0; o < kRpnGroup / 8; ++o) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        float& total =
            totals[(first_row + s * 16 + lane / 4 + i / 2 * 8) * stride + first_output + o * 8 + lane % 4 * 2 + i % 2];
        total = begin ? part.sum[s][o][i] : total + part.sum[s][o][i];
      }
    }
  }
}

// Bias and store of a tile: runs of neighbouring floats in both outputs.
__device__ __forceinline__ void store_outputs(const RpnCall& p, const RpnLevel& level, int first_pixel,
                                              const float* totals, int stride) {
  const int pixels = min(HeadTile::kRows, level.height * level.width - first_pixel);
  const auto store = [&](float* to, const float* bias, int channels, int first_output) {
    for (int i = static_cast<int>(threadIdx.x); i < pixels * channels; i += HeadTile::kThreads) {
      const int pixel = i / channels, o = i - pixel * channels;
      to[int64_t{first_pixel} * channels + i] = totals[pixel * stride + first_output + o] + bias[o];
    }
  };
  store(level.logits, p.logits_bias, p.anchors, 0);
  store(level.deltas, p.deltas_bias, 4 * p.anchors, p.anchors);
}

template <class T>
__global__ void __launch_bounds__(HeadTile::kThreads, kBlocksPerMultiprocessor)
    rpn_head_igemm_kernel(RpnCall p, const void* packed) {
  ptx::grid_dependency_wait();
  unsigned char* shared = dynamic_shared();
  float* totals = reinterpret_cast<float*>(shared + HeadTile::kPipelineBytes);
  const int across = static_cast<int>(threadIdx.x) / 32 % HeadTile::kWarpsAcross;
  const int stride = totals_stride(p.anchors), steps = (9 * p.channels + kGemmStep - 1) / kGemmStep;
  for (int number = static_cast<int>(blockIdx.x); number < p.tiles; number += static_cast<int>(gridDim.x)) {
    const RpnLevel level = rpn_level_of(p, number);
    const int first_pixel = (number - level.first_tile) * HeadTile::kRows;
    const ImageGeometry image{.in_h = level.height,
                              .in_w = level.width,
                              .in_c = p.channels,
                              .kernel_h = 3,
                              .kernel_w = 3,
                              .padding = 1,
                              .out_h = level.height,
                              .out_w = level.width};
    for (int channel = 0; channel < p.hidden; channel += HeadTile::kColumns) {
      ImageRows<T, HeadTile> a(image, level.map, first_pixel, int64_t{level.height} * level.width, 0);
      GemmWeights<HeadTile> b(packed, p.hidden, channel, 0);
      HeadTile tile;
      gemm_accumulate<T>(tile, a, b, steps, shared);
      finish_hidden(tile, p, channel);
      load_second<T>(p, channel, shared);
      __syncthreads();
      for (int output = 0; output < rpn_padded_outputs(p.anchors); output += kRpnGroup) {
        SecondSums part;
        second_product<T>(tile, ptx::shared_address(shared), output, part);
        // Warps side by side share their pixels: they add one after the other.
        for (int turn = 0; turn < HeadTile::kWarpsAcross; ++turn) {
          if (turn == across) add_totals(part, totals, stride, output, channel == 0 && turn == 0);
          __syncthreads();
        }
      }
    }
    store_outputs(p, level, first_pixel, totals, stride);
  }
}

const char* rejects(const OpCall& call) {
  if (!is_half(call.in[kRpnMap0].dtype)) return "f32 activations";
  if (call.in[kRpnMap0].shape[3] % 8 != 0) return "channels not a multiple of 8";
  if (call.in[kRpnLogitsBias].shape[0] > kRpnMostAnchors) return "more than 12 anchors in one place";
  return rpn_head_cuda_rejects(call);
}

int64_t packed_bytes(const OpCall& call) {
  const Shape& w = call.in[kRpnWeight].shape;
  return igemm_half_packed_bytes(w[0] * w[1] * w[2], w[3]);
}

void pack(const OpCall& call, void* packed, ThreadPool& pool) {
  const Shape& w = call.in[kRpnWeight].shape;
  igemm_half_pack(call.in[kRpnWeight].f32(), w[0] * w[1] * w[2], w[3], call.in[kRpnMap0].dtype, packed, pool);
}

template <class T>
void run_typed(const OpCall& call, const RunContext& context) {
  const RpnCall p = rpn_head_cuda_call(call, HeadTile::kRows);
  const int places = kBlocksPerMultiprocessor * context.stream->card().multiprocessors;
  launch(context, {.grid_x = std::min(p.tiles, places), .block = HeadTile::kThreads, .shared = shared_bytes(p.anchors)},
         rpn_head_igemm_kernel<T>, p, context.packed);
}

void run(const OpCall& call, const RunContext& context) {
  if (call.in[kRpnMap0].dtype == DType::f16) return run_typed<f16>(call, context);
  run_typed<bf16>(call, context);
}

}  // namespace

extern const Kernel rpn_head_igemm_sm80;
const Kernel rpn_head_igemm_sm80 = {.rejects = rejects, .run = run, .packed_bytes = packed_bytes, .pack = pack};

}  // namespace spinert
