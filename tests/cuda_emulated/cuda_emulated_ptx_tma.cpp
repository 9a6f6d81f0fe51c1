// mbarriers and the tensor memory accelerator on the emulated card: swizzle patterns and im2col positions against
// tables made by hand from the PTX ISA, phases, bounds, and planted mistakes.
#include "kernels/base/emulation/ptx_model.h"
#include "tests/cuda_emulated/ptx_bed.h"

namespace spinert {
namespace {

using ptx::Swizzle;
using ptx::TensorMap;

// ---- swizzle: which 16-byte piece of the row lies at each place of rows 0 to 7 (PTX ISA, "Swizzling modes").
constexpr int kPattern128[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}, {2, 3, 0, 1, 6, 7, 4, 5},
                                   {3, 2, 1, 0, 7, 6, 5, 4}, {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                                   {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};
constexpr int kPattern64[8][4] = {{0, 1, 2, 3}, {0, 1, 2, 3}, {1, 0, 3, 2}, {1, 0, 3, 2},
                                  {2, 3, 0, 1}, {2, 3, 0, 1}, {3, 2, 1, 0}, {3, 2, 1, 0}};
constexpr int kPattern32[8][2] = {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {1, 0}, {1, 0}, {1, 0}, {1, 0}};

int piece_at(Swizzle swizzle, int row, int place) {
  switch (swizzle) {
    case Swizzle::bytes128: return kPattern128[row % 8][place];
    case Swizzle::bytes64: return kPattern64[row % 8][place];
    case Swizzle::bytes32: return kPattern32[row % 8][place];
    case Swizzle::none: break;
  }
  return place;
}

// ---- loads: one thread loads a box into dynamic shared memory, everybody copies it out.
struct Load {
  int kind;  // 2 to 4: tile of that rank; 0: im2col
  int at[4];
  uint16_t offset_w, offset_h;
  int bytes;
};
__device__ void start(const Load& load, uint32_t to, const TensorMap* map, uint32_t bar) {
  const int* c = load.at;
  switch (load.kind) {
    case 2: ptx::tma_load_tile_2d(to, map, bar, c[0], c[1]); break;
    case 3: ptx::tma_load_tile_3d(to, map, bar, c[0], c[1], c[2]); break;
    case 4: ptx::tma_load_tile_4d(to, map, bar, c[0], c[1], c[2], c[3]); break;
    default: ptx::tma_load_im2col_4d(to, map, bar, c[0], c[1], c[2], c[3], load.offset_w, load.offset_h);
  }
}
__global__ void load_box(const __grid_constant__ TensorMap map, Load load, uint16_t* out) {
  SPINERT_SHARED(uint64_t, bars, 1);
  const auto* shared = reinterpret_cast<uint16_t*>(dynamic_shared());
  const uint32_t bar = ptx::shared_address(bars);
  if (threadIdx.x == 0) {
    ptx::prefetch_tensor_map(&map);
    ptx::mbarrier_init(bar, 1);
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    ptx::mbarrier_expect_tx(bar, static_cast<uint32_t>(load.bytes));
    start(load, ptx::shared_address(shared), &map, bar);
  }
  ptx::mbarrier_wait(bar, 0);
  for (int i = static_cast<int>(threadIdx.x); i < load.bytes / 2; i += 64) out[i] = shared[i];
}

class PtxTma : public PtxBed {
 protected:
  // Element i of the tensor is i + 1, so that zero is seen to come from outside.
  std::vector<uint16_t> numbers(size_t count) {
    std::vector<uint16_t> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<uint16_t>(i + 1);
    return values;
  }
  std::vector<uint16_t> load(const TensorMap& map, const Load& load) {
    uint16_t* out = upload(std::vector<uint16_t>(static_cast<size_t>(load.bytes / 2)));
    const Status status = run(64, load.bytes, load_box, map, load, out);
    EXPECT_TRUE(status.ok()) << status.to_string();
    return download(out, static_cast<size_t>(load.bytes / 2));
  }
  // A tensor [rows][width] of 16-bit numbers.
  TileMap matrix(const void* base, int64_t width, int64_t rows, int box_width, int box_rows, Swizzle swizzle) {
    TileMap map;
    map.base = base;
    map.dims = {width, rows};
    map.strides = {width * 2};
    map.box = {box_width, box_rows};
    map.swizzle = swizzle;
    return map;
  }
  TensorMap made(const TileMap& map) {
    auto result = make_tile_map(map);
    EXPECT_TRUE(result.ok()) << result.status().to_string();
    return result.value();
  }
  TensorMap made(const Im2colMap& map) {
    auto result = make_im2col_map(map);
    EXPECT_TRUE(result.ok()) << result.status().to_string();
    return result.value();
  }
};

TEST_F(PtxTma, TilesWithEverySwizzleAndBeyondEveryEdge) {
  constexpr int kWidth = 80, kRows = 20, kBoxRows = 16;
  uint16_t* tensor = upload(numbers(kWidth * kRows));
  for (const Swizzle swizzle : {Swizzle::none, Swizzle::bytes32, Swizzle::bytes64, Swizzle::bytes128}) {
    const int box_width = swizzle == Swizzle::none ? 24 : ptx::swizzle_span(swizzle) / 2;
    const TensorMap map = made(matrix(tensor, kWidth, kRows, box_width, kBoxRows, swizzle));
    for (const auto& [x, y] : {std::pair{0, 0}, {8, 3}, {-5, -2}, {71, 13}, {100, 0}, {0, -16}}) {
      const std::vector<uint16_t> got = load(map, {2, {x, y}, 0, 0, box_width * kBoxRows * 2});
      for (int row = 0; row < kBoxRows; ++row) {
        for (int col = 0; col < box_width; ++col) {
          const int from = piece_at(swizzle, row, col / 8) * 8 + col % 8;
          const int tx = x + from, ty = y + row;
          const bool inside = tx >= 0 && tx < kWidth && ty >= 0 && ty < kRows;
          ASSERT_EQ(got[row * box_width + col], inside ? ty * kWidth + tx + 1 : 0)
              << "swizzle " << static_cast<int>(swizzle) << " at " << x << ' ' << y << " row " << row << " col " << col;
        }
      }
    }
  }
}

TEST_F(PtxTma, TilesOfThreeAndFourDimensionsInSteps) {
  TileMap map;
  map.base = upload(numbers(8 * 5 * 4 * 3));  // [3][4][5][8]
  map.rank = 4;
  map.dims = {8, 5, 4, 3};
  map.strides = {16, 80, 320};
  map.box = {8, 5, 3, 2};
  map.steps = {1, 2, 1, 1};  // every other of dimension 1: three of five
  const std::vector<uint16_t> got = load(made(map), {4, {0, -1, 2, 1}, 0, 0, 8 * 3 * 3 * 2 * 2});
  for (int i = 0; i < 8 * 3 * 3 * 2; ++i) {
    const int x = i % 8, y = -1 + i / 8 % 3 * 2, z = 2 + i / 24 % 3, n = 1 + i / 72;
    const bool inside = y >= 0 && y < 5 && z < 4 && n < 3;
    ASSERT_EQ(got[i], inside ? ((n * 4 + z) * 5 + y) * 8 + x + 1 : 0) << i;
  }
  map.rank = 3;
  map.steps = {1, 1, 1, 1};
  const std::vector<uint16_t> cube = load(made(map), {3, {0, 1, 1}, 0, 0, 8 * 5 * 3 * 2});
  for (int i = 0; i < 8 * 5 * 3; ++i) {
    const int y = 1 + i / 8 % 5, z = 1 + i / 40;
    ASSERT_EQ(cube[i], y < 5 ? (z * 5 + y) * 8 + i % 8 + 1 : 0) << i;
  }
}

// Pixels (w, h, n) that a load takes, walked by hand.
struct Pixel {
  int w, h, n;
};
TEST_F(PtxTma, Im2colVisitsThePixelsOfTheWalk) {
  const auto check = [&](const Im2colMap& map, const Load& how, const std::vector<Pixel>& pixels) {
    const std::vector<uint16_t> got = load(made(map), how);
    for (size_t p = 0; p < pixels.size(); ++p) {
      const Pixel& at = pixels[p];
      const bool inside = at.w >= 0 && at.w < map.dims[1] && at.h >= 0 && at.h < map.dims[2] && at.n < map.dims[3];
      for (int c = 0; c < 8; ++c) {
        const int64_t expected = ((at.n * map.dims[2] + at.h) * map.dims[1] + at.w) * 16 + how.at[0] + c + 1;
        EXPECT_EQ(got[p * 8 + c], inside ? expected : 0) << "pixel " << p << " channel " << c;
      }
    }
  };
  // 3 x 3 with padding 1, stride 1, on 4 x 3 pixels of 16 channels, two images: corners -1 and -1.
  Im2colMap map;
  map.base = upload(numbers(16 * 4 * 3 * 2));
  map.dims = {16, 4, 3, 2};
  map.strides = {32, 128, 384};
  map.lower = {-1, -1};
  map.upper = {-1, -1};
  map.channels = 8;
  map.pixels = 8;
  check(map, {0, {8, 1, 0, 0}, 1, 1, 128},
        {{2, 1, 0}, {3, 1, 0}, {0, 2, 0}, {1, 2, 0}, {2, 2, 0}, {3, 2, 0}, {0, 0, 1}, {1, 0, 1}});
  check(map, {0, {0, 1, 0, 0}, 0, 0, 128},
        {{1, 0, 0}, {2, 0, 0}, {-1, 1, 0}, {0, 1, 0}, {1, 1, 0}, {2, 1, 0}, {-1, -1, 1}, {0, -1, 1}});
  check(map, {0, {0, 1, 1, 1}, 2, 2, 128},  // the second image ends: zeros
        {{3, 3, 1}, {4, 3, 1}, {1, 1, 2}, {2, 1, 2}, {3, 1, 2}, {4, 1, 2}, {1, 2, 2}, {2, 2, 2}});
  // 3 x 3 with padding 1, stride 2, on 5 x 5 pixels: output pixels at -1, 1, 3.
  map.base = upload(numbers(16 * 5 * 5 * 2));
  map.dims = {16, 5, 5, 2};
  map.strides = {32, 160, 800};
  map.steps = {2, 2};
  check(map, {0, {0, 3, 1, 0}, 0, 0, 128},
        {{3, 1, 0}, {-1, 3, 0}, {1, 3, 0}, {3, 3, 0}, {-1, -1, 1}, {1, -1, 1}, {3, -1, 1}, {-1, 1, 1}});
  check(map, {0, {0, 3, 1, 0}, 1, 2, 128},
        {{4, 3, 0}, {0, 5, 0}, {2, 5, 0}, {4, 5, 0}, {0, 1, 1}, {2, 1, 1}, {4, 1, 1}, {0, 3, 1}});
  // A start that the walk never visits.
  const TensorMap strided = made(map);
  uint16_t* out = upload(std::vector<uint16_t>(64));
  expect_caught("not a position of the box", 64, 128, load_box, strided, Load{0, {0, 2, 1, 0}, 0, 0, 128}, out);
}

TEST_F(PtxTma, MapsAreChecked) {
  uint16_t* tensor = upload(numbers(64 * 8));
  const auto refused = [&](auto change) {
    TileMap map = matrix(tensor, 64, 8, 64, 8, Swizzle::bytes128);
    change(map);
    const auto result = make_tile_map(map);
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.status().id(), ErrorId::E_DEVICE);
  };
  refused([](TileMap& map) { map.base = static_cast<const char*>(map.base) + 8; });
  refused([](TileMap& map) { map.base = nullptr; });
  refused([](TileMap& map) { map.dtype = DType::i8; });
  refused([](TileMap& map) { map.strides[0] = 136; });
  refused([](TileMap& map) { map.rank = 6; });
  refused([](TileMap& map) { map.box[1] = 257; });
  refused([](TileMap& map) { map.box[0] = 72; });  // wider than the swizzle
  refused([](TileMap& map) { map.swizzle = Swizzle::bytes64; });
  refused([](TileMap& map) { map.dims[1] = 0; });
  refused([](TileMap& map) { map.steps[1] = 9; });
  EXPECT_TRUE(make_tile_map(matrix(tensor, 64, 8, 64, 8, Swizzle::bytes128)).ok());
  Im2colMap columns;
  columns.base = tensor;
  columns.dims = {8, 8, 4, 2};
  columns.strides = {16, 128, 512};
  columns.channels = 8;
  columns.pixels = 4;
  EXPECT_TRUE(make_im2col_map(columns).ok());
  columns.lower = {-129, 0};
  EXPECT_FALSE(make_im2col_map(columns).ok());
  columns.lower = {0, 0};
  columns.upper = {0, -4};  // no row is left
  EXPECT_FALSE(make_im2col_map(columns).ok());
}

// ---- stores
enum class StoreMistake { none, no_fence, no_wait };
template <StoreMistake mistake>
__global__ void store_box(const __grid_constant__ TensorMap map, int x, int y) {
  auto* shared = reinterpret_cast<uint16_t*>(dynamic_shared());
  for (int i = static_cast<int>(threadIdx.x); i < 64 * 8; i += 64) shared[i] = static_cast<uint16_t>(1000 + i);
  if (mistake != StoreMistake::no_fence) ptx::fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    ptx::tma_store_tile_2d(&map, ptx::shared_address(shared), x, y);
    ptx::tma_store_commit();
    if (mistake != StoreMistake::no_wait) ptx::tma_store_wait<0>();
  }
}
TEST_F(PtxTma, StoresUndoTheSwizzleAndStayInside) {
  const uint16_t* tensor = upload(std::vector<uint16_t>(80 * 10));
  const TensorMap map = made(matrix(tensor, 80, 10, 64, 8, Swizzle::bytes128));
  const Status status = run(64, 1024, store_box<StoreMistake::none>, map, 24, -3);
  ASSERT_TRUE(status.ok()) << status.to_string();
  const std::vector<uint16_t> got = download(tensor, 80 * 10);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 80; ++x) {
      const int row = y + 3, col = x - 24;
      int expected = 0;
      if (row < 8 && col >= 0) {
        int place = 0;
        while (kPattern128[row][place] != col / 8) ++place;
        expected = 1000 + row * 64 + place * 8 + col % 8;
      }
      ASSERT_EQ(got[y * 80 + x], expected) << x << ' ' << y;
    }
  }
  expect_race("fence", 64, 1024, store_box<StoreMistake::no_fence>, map, 0, 0);
  const uint16_t* other = upload(std::vector<uint16_t>(80 * 10));
  expect_caught("tma_store_wait", 64, 1024, store_box<StoreMistake::no_wait>,
                made(matrix(other, 80, 10, 64, 8, Swizzle::bytes128)), 0, 0);
}

// ---- a ring of two stages: warp 0 loads rows of 64 numbers, warp 1 adds them up
enum class RingMistake { none, no_empty, no_full, early_parity, short_bytes, extra_arrival, no_init_fence, no_init };
template <RingMistake mistake>
__global__ void ring(const __grid_constant__ TensorMap map, int rows, int* sums) {
  SPINERT_SHARED(uint64_t, bars, 4);
  auto* stages = reinterpret_cast<uint16_t*>(dynamic_shared());
  const uint32_t full = ptx::shared_address(bars), empty = full + 16;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (threadIdx.x == 0 && mistake != RingMistake::no_init) {
    for (uint32_t stage = 0; stage < 2; ++stage) {
      ptx::mbarrier_init(full + stage * 8, 1);
      ptx::mbarrier_init(empty + stage * 8, 32);
    }
    if (mistake != RingMistake::no_init_fence) ptx::fence_mbarrier_init();
  }
  __syncthreads();
  for (int row = 0; row < rows; ++row) {
    const uint32_t stage = static_cast<uint32_t>(row % 2), parity = static_cast<uint32_t>(row / 2 % 2);
    if (threadIdx.x < 32) {
      if (lane == 0) {
        // The first pass through the ring finds it empty: the phase before the first has completed.
        if (mistake != RingMistake::no_empty) ptx::mbarrier_wait(empty + stage * 8, parity ^ 1);
        ptx::mbarrier_expect_tx(full + stage * 8, mistake == RingMistake::short_bytes ? 64 : 128);
        ptx::tma_load_tile_2d(ptx::shared_address(stages) + stage * 1024, &map, full + stage * 8, 0, row);
      }
    } else {
      if (mistake == RingMistake::early_parity) {
        ptx::mbarrier_wait(full + stage * 8, parity ^ 1);
      } else if (mistake != RingMistake::no_full) {
        ptx::mbarrier_wait(full + stage * 8, parity);
      }
      const uint16_t* tile = stages + stage * 512;
      sums[row * 32 + lane] = tile[lane * 2] + tile[lane * 2 + 1];
      ptx::mbarrier_arrive(empty + stage * 8);
      if (mistake == RingMistake::extra_arrival && lane == 0 && row == 0) ptx::mbarrier_arrive(full + stage * 8);
    }
  }
}
// The stage is filled again by a thread that has seen the first filling arrive, but not its readers finish.
__global__ void refill_under_readers(const __grid_constant__ TensorMap map, int* sums) {
  SPINERT_SHARED(uint64_t, bars, 1);
  const auto* stage = reinterpret_cast<uint16_t*>(dynamic_shared());
  const uint32_t full = ptx::shared_address(bars);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (uint32_t row = 0; row < 2; ++row) {
      ptx::mbarrier_expect_tx(full, 128);
      ptx::tma_load_tile_2d(ptx::shared_address(stage), &map, full, 0, static_cast<int>(row));
      ptx::mbarrier_wait(full, row);
    }
  } else if (threadIdx.x >= 32) {
    ptx::mbarrier_wait(full, 0);
    sums[threadIdx.x] = stage[threadIdx.x];
  }
}
__global__ void read_without_waiting(const __grid_constant__ TensorMap map, int* sums) {
  SPINERT_SHARED(uint64_t, bars, 1);
  const auto* stage = reinterpret_cast<uint16_t*>(dynamic_shared());
  const uint32_t full = ptx::shared_address(bars);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(full, 1);
    ptx::fence_mbarrier_init();
    ptx::mbarrier_expect_tx(full, 128);
    ptx::tma_load_tile_2d(ptx::shared_address(stage), &map, full, 0, 0);
  }
  __syncthreads();
  sums[threadIdx.x] = stage[threadIdx.x];
}
class PtxRing : public PtxTma {
 protected:
  static constexpr int kRows = 9, kSeeds = 10;
  TensorMap rows() { return made(matrix(upload(numbers(64 * kRows)), 64, kRows, 64, 1, Swizzle::none)); }
  int* sums() { return upload(std::vector<int>(32 * kRows)); }
  // Whatever the order of threads; which of its consequences is seen first depends on it.
  template <RingMistake mistake>
  void caught(const char* words) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      emulation::set_seed(seed);
      if (mistake == RingMistake::no_full || mistake == RingMistake::early_parity || mistake == RingMistake::no_empty) {
        expect_race(words, 64, 2048, ring<mistake>, rows(), kRows, sums());
      } else {
        expect_caught(words, 64, 2048, ring<mistake>, rows(), kRows, sums());
      }
    }
    emulation::set_seed(0);
  }
};
TEST_F(PtxRing, AddsUpWhateverTheOrderOfThreads) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    emulation::set_seed(seed);
    int* to = sums();
    const Status status = run(64, 2048, ring<RingMistake::none>, rows(), kRows, to);
    ASSERT_TRUE(status.ok()) << status.to_string();
    const std::vector<int> got = download(to, 32 * kRows);
    for (int i = 0; i < 32 * kRows; ++i) ASSERT_EQ(got[i], 4 * i + 3) << "seed " << seed;
  }
  emulation::set_seed(0);
}
TEST_F(PtxRing, MistakesAreCaught) {
  caught<RingMistake::no_full>("E_VERIFY");
  caught<RingMistake::early_parity>("E_VERIFY");
  caught<RingMistake::no_empty>("E_VERIFY");
  caught<RingMistake::short_bytes>("E_VERIFY");
  caught<RingMistake::extra_arrival>("E_VERIFY");
  caught<RingMistake::no_init_fence>("fence_mbarrier_init");
  caught<RingMistake::no_init>("no initialised mbarrier");
  expect_race("race", 64, 2048, refill_under_readers, rows(), sums());
  expect_race("asynchronous operation", 64, 2048, read_without_waiting, rows(), sums());
}

// ---- mbarriers alone
__global__ void phases(int* out) {
  SPINERT_SHARED(uint64_t, bars, 1);
  SPINERT_SHARED(int, box, 32);
  const uint32_t bar = ptx::shared_address(bars);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0) ptx::mbarrier_init(bar, 64);
  __syncthreads();
  for (uint32_t round = 0; round < 5; ++round) {
    if (thread < 32) box[thread] = static_cast<int>(round) * 100 + thread;
    ptx::mbarrier_arrive(bar);
    ptx::mbarrier_wait(bar, round % 2);
    if (thread >= 32) out[static_cast<int>(round) * 32 + thread - 32] = box[63 - thread];
    __syncthreads();
  }
}
__global__ void never_completes() {
  SPINERT_SHARED(uint64_t, bars, 1);
  const uint32_t bar = ptx::shared_address(bars);
  if (threadIdx.x == 0) ptx::mbarrier_init(bar, 33);
  __syncthreads();
  ptx::mbarrier_arrive(bar);
  ptx::mbarrier_wait(bar, 0);
}
__global__ void arrives_beyond() {
  SPINERT_SHARED(uint64_t, bars, 1);
  const uint32_t bar = ptx::shared_address(bars);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(bar, 1);
    ptx::mbarrier_expect_tx(bar, 16);
    ptx::mbarrier_arrive(bar);
  }
}
__global__ void misaligned_bar() {
  SPINERT_SHARED(uint64_t, bars, 2);
  if (threadIdx.x == 0) ptx::mbarrier_init(ptx::shared_address(bars) + 4, 1);
}
__global__ void initialised_by_all() {
  SPINERT_SHARED(uint64_t, bars, 1);
  ptx::mbarrier_init(ptx::shared_address(bars), 1);
}
__global__ void used_without_barrier() {
  SPINERT_SHARED(uint64_t, bars, 1);
  if (threadIdx.x == 0) ptx::mbarrier_init(ptx::shared_address(bars), 32);
  ptx::mbarrier_arrive(ptx::shared_address(bars));
}
TEST_F(PtxTma, Mbarriers) {
  int* out = upload(std::vector<int>(160));
  const Status status = run(64, 0, phases, out);
  ASSERT_TRUE(status.ok()) << status.to_string();
  const std::vector<int> got = download(out, 160);
  for (int i = 0; i < 160; ++i) EXPECT_EQ(got[i], i / 32 * 100 + 31 - i % 32);
  expect_caught("deadlock", 32, 0, never_completes);
  expect_caught("beyond the count", 32, 0, arrives_beyond);
  expect_caught("multiple of 8", 32, 0, misaligned_bar);
  expect_caught("mbarrier.init", 32, 0, initialised_by_all);
  expect_caught("mbarrier", 32, 0, used_without_barrier);
}

// ---- the address of a box
__global__ void load_to_offset(const __grid_constant__ TensorMap map, int offset) {
  SPINERT_SHARED(uint64_t, bars, 1);
  const uint32_t bar = ptx::shared_address(bars);
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(bar, 1);
    ptx::fence_mbarrier_init();
    ptx::mbarrier_expect_tx(bar, 1024);
    ptx::tma_load_tile_2d(ptx::shared_address(dynamic_shared()) + static_cast<uint32_t>(offset), &map, bar, 0, 0);
    ptx::mbarrier_wait(bar, 0);
  }
}
TEST_F(PtxTma, DestinationsAreAligned) {
  const TensorMap swizzled = made(matrix(upload(numbers(64 * 8)), 64, 8, 64, 8, Swizzle::bytes128));
  EXPECT_TRUE(run(32, 4096, load_to_offset, swizzled, 1024).ok());
  expect_caught("multiple of 1024", 32, 4096, load_to_offset, swizzled, 128);
  const TensorMap plain = made(matrix(upload(numbers(64 * 8)), 64, 8, 64, 8, Swizzle::none));
  expect_caught("multiple of 128", 32, 4096, load_to_offset, plain, 64);
  const TensorMap outside = made(matrix(upload(numbers(64 * 8)), 64, 8, 64, 8, Swizzle::none));
  expect_caught("TMA load", 32, 1024, load_to_offset, outside, 512);
  const TensorMap gone = made(matrix(upload(numbers(64 * 4)), 64, 8, 64, 8, Swizzle::none));  // half of it is there
  expect_caught("TMA load", 32, 1024, load_to_offset, gone, 0);
}

}  // namespace
}  // namespace spinert
