// rpn_head_winograd.inl - rpn_head over Winograd: the tiles of a block with all their hidden channels stay in a buffer
// of the thread, and the two heads read them there. The hidden map never goes to memory. Included by one file per
// instruction set, inside an unnamed namespace, after conv2d_winograd.inl.
//
// Order: the 3x3 as in conv2d_winograd.inl; a head's output is one chain over the hidden channels, then its bias.
template <class V, class Winograd, int kHeadRows, int kHeadVectors>
struct RpnHeadWinograd {
  using Reg = typename V::V;
  static constexpr int64_t kTilePixels = int64_t{Winograd::kOut} * Winograd::kOut;
  static constexpr int64_t kColumns = int64_t{kHeadVectors} * V::kLanes;  // outputs of both heads, a group at a time
  static constexpr int64_t kScratchFloats = 16;                           // parts of scratch begin at cache lines
  static_assert(kTilePixels % kHeadRows == 0);

  // The two heads as one matrix: logits first, then deltas, zeros up to whole groups.
  struct Heads {
    int64_t hidden, anchors;
    int64_t outputs() const { return 5 * anchors; }
    int64_t groups() const { return (outputs() + kColumns - 1) / kColumns; }
    int64_t floats() const { return groups() * (hidden + 1) * kColumns; }  // [group][hidden channel, then bias][column]
  };
  static Heads heads(const OpCall& call) {
    return {.hidden = call.in[kRpnBias].shape[0], .anchors = call.in[kRpnLogitsBias].shape[0]};
  }

  static int64_t hidden_floats(int64_t hidden) {
    const int64_t floats = Winograd::kMostTiles * kTilePixels * hidden;
    return (floats + kScratchFloats - 1) / kScratchFloats * kScratchFloats;
  }
  // Scratch: that of the convolution for every thread, the matrix of the heads, hidden pixels for every thread.
  static int64_t scratch_bytes(const OpCall& call, int threads) {
    const Heads h = heads(call);
    const int64_t channels = call.in[kRpnWeight].shape[2];
    const int64_t floats = threads * (Winograd::thread_floats(channels) + hidden_floats(h.hidden)) + h.floats();
    return floats * int64_t{sizeof(float)};
  }

  static void gather_heads(const OpCall& call, const Heads& h, float* to) {
    const float *logits = call.in[kRpnLogitsWeight].f32(), *logits_bias = call.in[kRpnLogitsBias].f32();
    const float *deltas = call.in[kRpnDeltasWeight].f32(), *deltas_bias = call.in[kRpnDeltasBias].f32();
    for (int64_t g = 0; g < h.groups(); ++g) {
      for (int64_t k = 0; k <= h.hidden; ++k) {
        for (int64_t i = 0; i < kColumns; ++i, ++to) {
          const int64_t o = g * kColumns + i, d = o - h.anchors;
          if (o >= h.outputs()) {
            *to = 0;
          } else if (k == h.hidden) {
            *to = d < 0 ? logits_bias[o] : deltas_bias[d];
          } else {
            *to = d < 0 ? logits[k * h.anchors + o] : deltas[k * 4 * h.anchors + d];
          }
        }
      }
    }
  }

  // What becomes of the finished tiles of one level; see the sinks of conv2d_winograd.inl.
  struct Sink {
    static constexpr bool kWholeBlocks = true;
    Heads h;
    const float* matrix;
    float* hidden;  // [thread][tile of the block][pixel of the tile][hidden]
    float *logits, *deltas;
    int64_t height, width, tiles_w;

    float* tile(int thread, int64_t slot) const {
      return hidden + thread * hidden_floats(h.hidden) + slot * kTilePixels * h.hidden;
    }
    float* pixel(int thread, int64_t slot, int64_t, int64_t y, int64_t x) const {
      return tile(thread, slot) + (y % Winograd::kOut * Winograd::kOut + x % Winograd::kOut) * h.hidden;
    }
    void finished(int thread, int64_t first, int64_t count) const {
      for (int64_t g = 0; g < h.groups(); ++g) {
        const float* columns = matrix + g * (h.hidden + 1) * kColumns;
        for (int64_t t = 0; t < count; ++t) {
          const float* at = tile(thread, t);
          const int64_t y = (first + t) / tiles_w * Winograd::kOut, x = (first + t) % tiles_w * Winograd::kOut;
          for (int64_t p = 0; p < kTilePixels; p += kHeadRows) project(at + p * h.hidden, columns, g, y, x, p);
        }
      }
    }

    // kHeadRows pixels, from pixel `p` of the tile at (y, x) on; pixels beyond the map hold anything and are dropped.
    void project(const float* a, const float* b, int64_t group, int64_t y, int64_t x, int64_t p) const {
      Reg acc[kHeadRows][kHeadVectors];
#pragma GCC unroll 16
      for (int r = 0; r < kHeadRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kHeadVectors; ++v) acc[r][v] = V::zero();
      }
      for (int64_t k = 0; k < h.hidden; ++k, b += kColumns) {
        Reg bv[kHeadVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kHeadVectors; ++v) bv[v] = V::loadu(b + v * V::kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kHeadRows; ++r) {
          const Reg av = V::set1(a[r * h.hidden + k]);
#pragma GCC unroll 2
          for (int v = 0; v < kHeadVectors; ++v) acc[r][v] = V::madd(av, bv[v], acc[r][v]);
        }
      }
      float out[kHeadRows][kColumns];
#pragma GCC unroll 16
      for (int r = 0; r < kHeadRows; ++r) {
#pragma GCC unroll 2
        for (int v = 0; v < kHeadVectors; ++v) {
          V::storeu(out[r] + v * V::kLanes, V::add(acc[r][v], V::loadu(b + v * V::kLanes)));
        }
      }
      const int64_t begin = group * kColumns, end = begin + kColumns < h.outputs() ? begin + kColumns : h.outputs();
      for (int64_t r = 0; r < kHeadRows; ++r) {
        const int64_t py = y + (p + r) / Winograd::kOut, px = x + (p + r) % Winograd::kOut;
        if (py >= height || px >= width) continue;
        const int64_t at = (py * width + px) * h.anchors;
        for (int64_t o = begin; o < end; ++o) {
          const int64_t d = o - h.anchors;
          (d < 0 ? logits[at + o] : deltas[4 * at + d]) = out[r][o - begin];
        }
      }
    }
  };

  template <class Element>
  static void run_as(const OpCall& call, const RunContext& context) {
    const Heads h = heads(call);
    const int64_t channels = call.in[kRpnWeight].shape[2];
    const size_t levels = rpn_head_levels(call);
    float* matrix = static_cast<float*>(context.scratch) + context.pool->size() * Winograd::thread_floats(channels);
    gather_heads(call, h, matrix);
    for (size_t l = 0; l < levels; ++l) {
      const Tensor& map = call.in[rpn_head_map(l)];
      const int64_t height = map.shape[1], width = map.shape[2];
      const Conv2dShape s{.batch = 1,
                          .in_h = height,
                          .in_w = width,
                          .in_c = channels,
                          .kernel_h = 3,
                          .kernel_w = 3,
                          .out_h = height,
                          .out_w = width,
                          .out_c = h.hidden,
                          .residual_h = 0,
                          .residual_w = 0};
      const typename Winograd::template Problem<Element> problem{s,
                                                                 1,
                                                                 static_cast<const Element*>(map.data),
                                                                 static_cast<const float*>(context.packed),
                                                                 call.in[kRpnBias].f32(),
                                                                 nullptr,
                                                                 Activation::relu};
      const Sink sink{h,
                      matrix,
                      matrix + h.floats(),
                      call.out[l].f32(),
                      call.out[levels + l].f32(),
                      height,
                      width,
                      (width + Winograd::kOut - 1) / Winograd::kOut};
      Winograd::run_problem(problem, sink, context.scratch, *context.pool);
    }
  }

  static void run(const OpCall& call, const RunContext& context) {
    call.in[kRpnMap0].dtype == DType::bf16 ? run_as<bf16>(call, context) : run_as<float>(call, context);
  }

  static constexpr Kernel kernel() {
    return {.rejects = rpn_head_winograd_rejects,
            .run = run,
            .scratch_bytes = scratch_bytes,
            .packed_bytes = Winograd::packed_bytes,
            .pack = Winograd::pack,
            .exact_on_integers = false,
            .also_takes = kTakesBf16};
  }
};
