// conv2d_winograd.inl - conv2d by Winograd over the vector type V and the size F (WinogradF4 or WinogradF2). Included
// by one file per instruction set, inside an unnamed namespace.
//
// A thread takes a block of tiles through all three steps before the next, so that nothing goes through memory:
//   1. input transform: B^T d B of every tile and channel, into `v` as [point][tile group][line of 16][tile][16]
//   2. for each panel of output channels: a product per point v[point] * u[point], into `m` as [point][tile][panel]
//   3. output transform of that panel: A^T m A, bias, residual, activation, to y
// Order: each product is one chain over the channels; the transforms are fixed sums. Nothing depends on threads or
// batch.
// One dimension of B^T d and of A^T m, and G.
template <class V, class F>
struct WinogradSums;

template <class V>
struct WinogradSums<V, WinogradF4> {
  using Reg = typename V::V;
  static double g(int row, int tap) { return kWinogradG4[row][tap]; }
  static void input(const Reg (&x)[6], Reg (&y)[6]) {
    const Reg two = V::set1(2.0f), half = V::set1(0.5f), c15 = V::set1(1.5f), c25 = V::set1(2.5f);
    y[0] = V::add(V::madd(c15, V::sub(x[3], x[1]), V::sub(x[0], V::mul(two, x[2]))), x[4]);
    y[1] = V::add(V::madd(c25, x[3], V::sub(V::mul(half, x[2]), x[1])), x[4]);
    y[2] = V::add(V::madd(half, x[3], V::sub(x[1], V::mul(c25, x[2]))), x[4]);
    y[3] = V::madd(two, V::sub(x[3], x[1]), V::sub(x[4], x[2]));
    y[4] = V::madd(half, V::sub(x[1], x[3]), V::sub(x[4], x[2]));
    y[5] = V::add(V::madd(c15, V::sub(x[4], x[2]), V::sub(x[1], V::mul(two, x[3]))), x[5]);
  }
  static void output(const Reg (&x)[6], Reg (&y)[4]) {
    const Reg two = V::set1(2.0f), half = V::set1(0.5f), quarter = V::set1(0.25f), four = V::set1(4.0f);
    const Reg eighth = V::set1(0.125f), eight = V::set1(8.0f);
    const Reg sum = V::add(x[1], x[2]), difference = V::sub(x[1], x[2]);
    y[0] = V::add(V::add(x[0], sum), V::add(x[3], x[4]));
    y[1] = V::madd(half, x[3], V::sub(difference, V::mul(two, x[4])));
    y[2] = V::madd(quarter, x[3], V::madd(four, x[4], sum));
    y[3] = V::add(V::madd(eighth, x[3], V::sub(difference, V::mul(eight, x[4]))), x[5]);
  }
};

template <class V>
struct WinogradSums<V, WinogradF2> {
  using Reg = typename V::V;
  static double g(int row, int tap) { return kWinogradG2[row][tap]; }
  static void input(const Reg (&x)[4], Reg (&y)[4]) {
    y[0] = V::sub(x[0], x[2]);
    y[1] = V::add(x[1], x[2]);
    y[2] = V::sub(x[2], x[1]);
    y[3] = V::sub(x[3], x[1]);
  }
  static void output(const Reg (&x)[4], Reg (&y)[2]) {
    y[0] = V::add(V::add(x[0], x[1]), x[2]);
    y[1] = V::add(V::sub(x[1], x[2]), x[3]);
  }
};

template <class V, class F, int kTileRows, int kTileVectors>
struct Conv2dWinograd {
  using Reg = typename V::V;
  using Sums = WinogradSums<V, F>;
  static constexpr int kOut = F::kOut, kIn = F::kIn, kPoints = kIn * kIn;
  enum Input { kX, kWeight, kBias, kResidual };
  static constexpr int64_t kPanel = int64_t{kTileVectors} * V::kLanes;
  // Tiles of one block: at least kLeastTiles, and twice as many while v and m stay below kBlockBytes, so that they keep
  // to the second-level cache while u passes through once per block. A pure function of the weight: it sizes scratch.
  static constexpr int64_t kLeastTiles = (kOut == 4 ? 14 : 28) / kTileRows * kTileRows;
  static constexpr int64_t kMostTiles = 2 * kLeastTiles, kBlockBytes = 704 << 10;
  static int64_t block_tiles(int64_t in_c) {
    int64_t tiles = kLeastTiles;
    while (2 * tiles <= kMostTiles && thread_floats(in_c, 2 * tiles) * int64_t{sizeof(float)} <= kBlockBytes)
      tiles *= 2;
    return tiles;
  }

  static int64_t packed_bytes(const OpCall& call) {
    const Shape& w = call.in[kWeight].shape;
    return (w[3] + kPanel - 1) / kPanel * kPanel * w[2] * kPoints * int64_t{sizeof(float)};
  }

  // u as [panel][point][channel][kPanel]; absent output channels are zero. In double, rounded once.
  static void pack(const OpCall& call, void* packed, ThreadPool& pool) {
    const int64_t in_c = call.in[kWeight].shape[2], out_c = call.in[kWeight].shape[3];
    const int64_t panels = (out_c + kPanel - 1) / kPanel;
    pool.run(panels * in_c, [&](WorkRange range) {
      for (int64_t item = range.begin; item < range.end; ++item) {
        const int64_t panel = item / in_c, c = item % in_c, used = std::min(kPanel, out_c - panel * kPanel);
        const float* weight = call.in[kWeight].f32() + c * out_c + panel * kPanel;
        double g[9][kPanel] = {};
        for (int64_t tap = 0; tap < 9; ++tap) {
          for (int64_t o = 0; o < used; ++o) g[tap][o] = double(weight[tap * in_c * out_c + o]);
        }
        transform_kernel(g, static_cast<float*>(packed) + (panel * kPoints * in_c + c) * kPanel, in_c);
      }
    });
  }

  static void transform_kernel(const double (&g)[9][kPanel], float* to, int64_t in_c) {
    double half[kIn][3][kPanel];
    for (int i = 0; i < kIn; ++i) {
      for (int j = 0; j < 3; ++j) {
        for (int64_t o = 0; o < kPanel; ++o) {
          half[i][j][o] = Sums::g(i, 0) * g[j][o] + Sums::g(i, 1) * g[3 + j][o] + Sums::g(i, 2) * g[6 + j][o];
        }
      }
    }
    for (int i = 0; i < kIn; ++i) {
      for (int j = 0; j < kIn; ++j) {
        float* u = to + (i * kIn + j) * in_c * kPanel;
        for (int64_t o = 0; o < kPanel; ++o) {
          u[o] = static_cast<float>(half[i][0][o] * Sums::g(j, 0) + half[i][1][o] * Sums::g(j, 1) +
                                    half[i][2][o] * Sums::g(j, 2));
        }
      }
    }
  }

  // A line more than the tiles need: a transform writes all points of a channel at once, and without it the points of
  // 256 channels would fall into two sets of the first-level cache.
  static int64_t point_floats(int64_t in_c, int64_t block) { return block * in_c + kF32Line; }
  static int64_t v_floats(int64_t in_c, int64_t block) { return kPoints * point_floats(in_c, block); }
  static int64_t thread_floats(int64_t in_c, int64_t block) { return v_floats(in_c, block) + kPoints * block * kPanel; }
  static int64_t thread_floats(int64_t in_c) { return thread_floats(in_c, block_tiles(in_c)); }
  static int64_t scratch_bytes(const OpCall& call, int threads) {
    return threads * thread_floats(call.in[kX].shape[3]) * int64_t{sizeof(float)};
  }

  // One call: x [images][in_h][in_w][in_c] and what is added to each output pixel. Element is the type of activations,
  // float or bf16; everything between the loads of x and the stores of y is float.
  template <class Element>
  struct Problem {
    Conv2dShape s;
    int64_t images;
    const Element* x;
    const float* packed;
    const float* bias;        // null: none
    const Element* residual;  // null: none
    Activation activation;

    int64_t tiles_h() const { return (s.out_h + kOut - 1) / kOut; }
    int64_t tiles_w() const { return (s.out_w + kOut - 1) / kOut; }
    int64_t tiles() const { return images * tiles_h() * tiles_w(); }
  };

  // Where finished pixels go. A sink has
  //   pixel(int thread, int64_t slot, int64_t n, int64_t y, int64_t x)   where the out_c numbers of the pixel (y, x) of
  //            image n go, float or Element; `slot` numbers the tiles of a block, below block_tiles(in_c)
  //   void finished(int thread, int64_t first, int64_t count)   all channels of the tiles first .. first + count - 1
  //            are there, still in this core's cache; called only if kWholeBlocks
  //   kWholeBlocks   a block's channels are never split among threads
  // This one writes y [images][out_h][out_w][out_c].
  template <class Element>
  struct TensorSink {
    static constexpr bool kWholeBlocks = false;
    Element* y;
    Conv2dShape s;
    Element* pixel(int, int64_t, int64_t n, int64_t oy, int64_t ox) const {
      return y + ((n * s.out_h + oy) * s.out_w + ox) * s.out_c;
    }
  };

  template <class Element>
  static void run_as(const OpCall& call, const RunContext& context) {
    const Problem<Element> p{conv2d_shape(call),
                             call.in[kX].rows(),
                             static_cast<const Element*>(call.in[kX].data),
                             static_cast<const float*>(context.packed),
                             call.has(kBias) ? call.in[kBias].f32() : nullptr,
                             call.has(kResidual) ? static_cast<const Element*>(call.in[kResidual].data) : nullptr,
                             call.as<Conv2dParams>().activation};
    run_problem(p, TensorSink<Element>{static_cast<Element*>(call.out[0].data), p.s}, context.scratch, *context.pool);
  }

  static void run(const OpCall& call, const RunContext& context) {
    call.in[kX].dtype == DType::bf16 ? run_as<bf16>(call, context) : run_as<float>(call, context);
  }

  template <class Element, class Sink>
  static void run_problem(const Problem<Element>& p, const Sink& sink, void* scratch, ThreadPool& pool) {
    const int64_t in_c = p.s.in_c, tiles = p.tiles(), panels = (p.s.out_c + kPanel - 1) / kPanel;
    if (tiles == 0 || panels == 0) return;
    const int64_t block = block_tiles(in_c);
    IgemmShares cut = igemm_shares(tiles, panels, kTileRows, pool.size());
    if (Sink::kWholeBlocks) cut.panel_groups = 1;
    pool.run(cut.items(), [&](WorkRange range) {
      float* v = static_cast<float*>(scratch) + range.thread * thread_floats(in_c, block);
      float* m = v + v_floats(in_c, block);
      for (int64_t item = range.begin; item < range.end;) {
        const IgemmBlock b = cut.block(item, range.end, block / kTileRows);
        item += b.tiles;
        const int64_t first = b.tile * kTileRows, count = std::min(b.tiles * kTileRows, tiles - first);
        const int64_t begin = cut.panel_begin(b.group), end = cut.panel_begin(b.group + 1);
        for (int64_t t = 0; t < count; ++t) transform_input(p, first + t, t, v, block);
        Fetch<Element> fetch(p, first + count, item < range.end ? count : 0, (end - begin) * kPoints * b.tiles);
        for (int64_t panel = begin; panel < end; ++panel) {
          multiply(v, p.packed + panel * kPoints * in_c * kPanel, in_c, block, count, m, fetch);
          for (int64_t t = 0; t < count; ++t) {
            transform_output(p, sink, range.thread, m + t * kPanel, block * kPanel, first + t, t, panel * kPanel);
          }
        }
        if constexpr (Sink::kWholeBlocks) sink.finished(range.thread, first, count);
      }
    });
  }

  // Brings the pixels of the next block of tiles nearer while this one is multiplied, some with every product: the
  // multiplications leave memory idle, and the input transform would wait for it.
  template <class Element>
  class Fetch {
   public:
    Fetch(const Problem<Element>& p, int64_t first, int64_t count, int64_t steps)
        : p_(p), pixel_(first * kOut * kOut), end_(std::min(first + count, p.tiles()) * kOut * kOut) {
      per_step_ = std::max<int64_t>(0, (end_ - pixel_ + steps - 1) / steps);
    }
    void step() {
      const Conv2dShape& s = p_.s;
      const int64_t tiles_h = p_.tiles_h(), tiles_w = p_.tiles_w();
      for (int64_t i = 0; i < per_step_ && pixel_ < end_; ++i, ++pixel_) {
        const int64_t tile = pixel_ / (kOut * kOut), at = pixel_ % (kOut * kOut);
        // The rows below the tile's first: the tiles above have read the others.
        const int64_t y = tile / tiles_w % tiles_h * kOut + at / kOut + 1, x = tile % tiles_w * kOut + at % kOut;
        if (y >= s.in_h || x >= s.in_w) continue;
        const Element* from = p_.x + ((tile / (tiles_w * tiles_h) * s.in_h + y) * s.in_w + x) * s.in_c;
        constexpr int64_t kLine = 64 / sizeof(Element);
        for (int64_t c = 0; c < s.in_c; c += kLine) __builtin_prefetch(from + c, 0, 2);
      }
    }

   private:
    const Problem<Element>& p_;
    int64_t pixel_, end_, per_step_;
  };

  template <class Element>
  static void transform_input(const Problem<Element>& p, int64_t tile, int64_t slot, float* v, int64_t block) {
    const Conv2dShape& s = p.s;
    const int64_t tiles_h = p.tiles_h(), tiles_w = p.tiles_w();
    const int64_t x0 = tile % tiles_w * kOut - 1, y0 = tile / tiles_w % tiles_h * kOut - 1;
    const Element* image = p.x + tile / (tiles_w * tiles_h) * s.in_h * s.in_w * s.in_c;
    const Element* pixel[kIn][kIn];  // null outside the image
    for (int64_t i = 0; i < kIn; ++i) {
      for (int64_t j = 0; j < kIn; ++j) {
        const bool inside = y0 + i >= 0 && y0 + i < s.in_h && x0 + j >= 0 && x0 + j < s.in_w;
        pixel[i][j] = inside ? image + ((y0 + i) * s.in_w + x0 + j) * s.in_c : nullptr;
      }
    }
    // A point's part of v: [tile group][line][tile of the group][16], the order in which multiply() reads.
    const int64_t point = point_floats(s.in_c, block);
    float* to = v + slot / kTileRows * kTileRows * s.in_c + slot % kTileRows * kF32Line;
    for (int64_t c = 0; c < s.in_c; c += V::kLanes) {
      Reg columns[kIn][kIn];  // B^T d, transposed: [column][row]
      for (int j = 0; j < kIn; ++j) {
        Reg d[kIn];
        for (int i = 0; i < kIn; ++i) d[i] = pixel[i][j] ? V::loadu(pixel[i][j] + c) : V::zero();
        Sums::input(d, columns[j]);
      }
      float* at = to + c / kF32Line * kTileRows * kF32Line + c % kF32Line;
      for (int i = 0; i < kIn; ++i) {
        Reg row[kIn], out[kIn];
        for (int j = 0; j < kIn; ++j) row[j] = columns[j][i];
        Sums::input(row, out);
        for (int j = 0; j < kIn; ++j) V::storeu(at + (i * kIn + j) * point, out[j]);
      }
    }
  }

  // m[point][tile][kPanel] = v[point][tile] * u[point], tiles of kTileRows at a time.
  template <class Element>
  static void multiply(const float* v, const float* u, int64_t in_c, int64_t block, int64_t count, float* m,
                       Fetch<Element>& fetch) {
    for (int64_t point = 0; point < kPoints; ++point, u += in_c * kPanel) {
      for (int64_t t = 0; t < count; t += kTileRows) {
        product(v + point * point_floats(in_c, block) + t * in_c, u, in_c, m + (point * block + t) * kPanel);
        fetch.step();
      }
    }
  }

  static void product(const float* a, const float* b, int64_t in_c, float* m) {
    Reg acc[kTileRows][kTileVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int i = 0; i < kTileVectors; ++i) acc[r][i] = V::zero();
    }
    constexpr int64_t kPrefetchRows = 16;
    for (int64_t c = 0; c < in_c; c += kF32Line, a += kTileRows * kF32Line) {
#pragma GCC unroll 4
      for (int k = 0; k < kF32Line; ++k, b += kPanel) {
        Reg bv[kTileVectors];
#pragma GCC unroll 8
        for (int i = 0; i < kTileVectors; ++i) {
          __builtin_prefetch(b + kPrefetchRows * kPanel + i * V::kLanes);
          bv[i] = V::loadu(b + i * V::kLanes);
        }
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
          const Reg av = V::set1(a[r * kF32Line + k]);
#pragma GCC unroll 8
          for (int i = 0; i < kTileVectors; ++i) acc[r][i] = V::madd(av, bv[i], acc[r][i]);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (int i = 0; i < kTileVectors; ++i) V::storeu(m + r * kPanel + i * V::kLanes, acc[r][i]);
    }
  }

  template <class Element, class Sink>
  static void transform_output(const Problem<Element>& p, const Sink& sink, int thread, const float* m, int64_t point,
                               int64_t tile, int64_t slot, int64_t column) {
    const Conv2dShape& s = p.s;
    const int64_t tiles_h = p.tiles_h(), tiles_w = p.tiles_w();
    const int64_t x0 = tile % tiles_w * kOut, y0 = tile / tiles_w % tiles_h * kOut;
    const int64_t n = tile / (tiles_w * tiles_h);
    const int64_t rows = std::min<int64_t>(kOut, s.out_h - y0), cols = std::min<int64_t>(kOut, s.out_w - x0);
    decltype(sink.pixel(0, 0, 0, 0, 0)) to[kOut][kOut];
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) to[i][j] = sink.pixel(thread, slot, n, y0 + i, x0 + j) + column;
    }
    for (int64_t lane = 0; lane < kPanel && column + lane < s.out_c; lane += V::kLanes) {
      const int64_t used = std::min<int64_t>(V::kLanes, s.out_c - column - lane);
      Reg columns[kIn][kOut];  // A^T m, transposed
      for (int j = 0; j < kIn; ++j) {
        Reg x[kIn];
        for (int i = 0; i < kIn; ++i) {
          x[i] = V::loadu(m + (i * kIn + j) * point + lane);
        }
        Sums::output(x, columns[j]);
      }
      const Reg bias = p.bias ? V::load_n(p.bias + column + lane, used) : V::zero();
      for (int64_t i = 0; i < rows; ++i) {
        Reg row[kIn], out[kOut];
        for (int j = 0; j < kIn; ++j) row[j] = columns[j][i];
        Sums::output(row, out);
        const int64_t at = ((n * s.out_h + y0 + i) * s.out_w + x0) * s.out_c + column + lane;
        for (int64_t j = 0; j < cols; ++j) {
          Reg sum = V::add(out[j], bias);
          if (p.residual) sum = V::add(sum, V::load_n(p.residual + at + j * s.out_c, used));
          V::store_n(to[i][j] + lane, activate_vector<V>(p.activation, sum), used);
        }
      }
    }
  }

  static constexpr Kernel kernel() {
    return {.rejects = F::kOut == 4 ? winograd_f4_rejects : winograd_f2_rejects,
            .run = run,
            .scratch_bytes = scratch_bytes,
            .packed_bytes = packed_bytes,
            .pack = pack,
            .exact_on_integers = false,
            .also_takes = kTakesBf16};
  }
};
