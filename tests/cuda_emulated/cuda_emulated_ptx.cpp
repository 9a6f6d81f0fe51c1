// PTX of one warp or thread on the emulated card: fragments against tables copied by hand from the PTX ISA, products
// through ldmatrix against plain loops, cp.async, named barriers, and planted mistakes.
#include "kernels/base/emulation/ptx_model.h"
#include "tests/cuda_emulated/ptx_bed.h"

namespace spinert {
namespace {

using ptx_model::Position;

// ---- fragments: lanes 0, 3, 4, 13, 31 of the figures "MMA .m16n8k16 fragment layout" and "MMA .m16n8k8 ..., .tf32".
constexpr int kLanes[] = {0, 3, 4, 13, 31};
constexpr Position kA16[5][8] = {
    {{0, 0}, {0, 1}, {8, 0}, {8, 1}, {0, 8}, {0, 9}, {8, 8}, {8, 9}},
    {{0, 6}, {0, 7}, {8, 6}, {8, 7}, {0, 14}, {0, 15}, {8, 14}, {8, 15}},
    {{1, 0}, {1, 1}, {9, 0}, {9, 1}, {1, 8}, {1, 9}, {9, 8}, {9, 9}},
    {{3, 2}, {3, 3}, {11, 2}, {11, 3}, {3, 10}, {3, 11}, {11, 10}, {11, 11}},
    {{7, 6}, {7, 7}, {15, 6}, {15, 7}, {7, 14}, {7, 15}, {15, 14}, {15, 15}},
};
constexpr Position kB16[5][4] = {
    {{0, 0}, {1, 0}, {8, 0}, {9, 0}},   {{6, 0}, {7, 0}, {14, 0}, {15, 0}}, {{0, 1}, {1, 1}, {8, 1}, {9, 1}},
    {{2, 3}, {3, 3}, {10, 3}, {11, 3}}, {{6, 7}, {7, 7}, {14, 7}, {15, 7}},
};
constexpr Position kD[5][4] = {
    {{0, 0}, {0, 1}, {8, 0}, {8, 1}},   {{0, 6}, {0, 7}, {8, 6}, {8, 7}},   {{1, 0}, {1, 1}, {9, 0}, {9, 1}},
    {{3, 2}, {3, 3}, {11, 2}, {11, 3}}, {{7, 6}, {7, 7}, {15, 6}, {15, 7}},
};
constexpr Position kA8[5][4] = {
    {{0, 0}, {8, 0}, {0, 4}, {8, 4}},   {{0, 3}, {8, 3}, {0, 7}, {8, 7}},   {{1, 0}, {9, 0}, {1, 4}, {9, 4}},
    {{3, 1}, {11, 1}, {3, 5}, {11, 5}}, {{7, 3}, {15, 3}, {7, 7}, {15, 7}},
};
constexpr Position kB8[5][2] = {
    {{0, 0}, {4, 0}}, {{3, 0}, {7, 0}}, {{0, 1}, {4, 1}}, {{1, 3}, {5, 3}}, {{3, 7}, {7, 7}}};

TEST(PtxFragments, FollowTheFiguresOfTheIsa) {
  for (int l = 0; l < 5; ++l) {
    const int lane = kLanes[l];
    for (int i = 0; i < 8; ++i) EXPECT_EQ(ptx_model::a_m16n8k16(lane, i), kA16[l][i]) << lane << ' ' << i;
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ptx_model::b_m16n8k16(lane, i), kB16[l][i]) << lane << ' ' << i;
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ptx_model::d_m16n8(lane, i), kD[l][i]) << lane << ' ' << i;
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ptx_model::a_m16n8k8(lane, i), kA8[l][i]) << lane << ' ' << i;
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ptx_model::b_m16n8k8(lane, i), kB8[l][i]) << lane << ' ' << i;
  }
}

// ---- conversions
TEST(PtxConversions, RoundAsTheTypesDo) {
  EXPECT_EQ(ptx::f16_bits(1.0f), 0x3C00);
  EXPECT_EQ(ptx::f16_bits(65504.0f), 0x7BFF);
  EXPECT_EQ(ptx::f16_bits(65520.0f), 0x7C00);
  EXPECT_EQ(ptx::f16_bits(1.0f + 0x1p-11f), 0x3C00);  // a tie goes to the even neighbour
  EXPECT_EQ(ptx::f16_bits(1.0f + 3 * 0x1p-11f), 0x3C02);
  EXPECT_EQ(ptx::bf16_bits(1.0f + 0x1p-8f), 0x3F80);
  EXPECT_EQ(ptx::bf16_bits(1.0f + 3 * 0x1p-8f), 0x3F82);
  EXPECT_EQ(ptx::pack_f16x2(1.0f, 2.0f), 0x40003C00u);
  EXPECT_EQ(ptx::pack_x2<bf16>(1.0f, 2.0f), 0x40003F80u);
  EXPECT_EQ(ptx::to_tf32(1.0f), 0x3F800000u);
  EXPECT_EQ(ptx::to_tf32(1.0f + 0x1p-11f), 0x3F802000u);  // a tie goes away from zero
  EXPECT_EQ(ptx::to_tf32(-1.0f - 0x1p-11f), 0xBF802000u);
  EXPECT_EQ(ptx::to_tf32(1.0f + 0x1p-12f), 0x3F800000u);
  EXPECT_EQ(ptx::to_tf32(std::bit_cast<float>(0x7FC00001u)), 0x7FFFFFFFu);
  EXPECT_EQ(ptx::to_float(ptx::from_float<f16>(-2.5f)), -2.5f);
  EXPECT_EQ(ptx::to_float(ptx::from_float<bf16>(-2.5f)), -2.5f);
  EXPECT_EQ(ptx::from_float<float>(0.1f), 0.1f);
}

// ---- ldmatrix and mma
// a [16][16] and b [8][16] (or, transposed, [16][8]) lie in shared memory; d [16][8].
template <class T, bool Transposed>
__global__ void multiply(const T* a, const T* b, float* d) {
  SPINERT_SHARED(T, tile_a, 16 * 16);
  SPINERT_SHARED(T, tile_b, 16 * 8);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) tile_a[i] = a[i];
  for (int i = lane; i < 128; i += 32) tile_b[i] = b[i];
  __syncwarp();
  uint32_t fragment_a[4], fragment_b[2];
  // Matrices of A: rows 0-7 and 8-15 of k 0-7, then of k 8-15.
  ptx::ldmatrix_x4(fragment_a, ptx::shared_address(tile_a + lane % 16 * 16 + lane / 16 * 8));
  if (Transposed) {
    ptx::ldmatrix_x2_trans(fragment_b, ptx::shared_address(tile_b + lane % 16 * 8));
  } else {
    ptx::ldmatrix_x2(fragment_b, ptx::shared_address(tile_b + lane % 8 * 16 + lane / 8 % 2 * 8));
  }
  float sums[4] = {1, 2, 3, 4};
  ptx::mma_m16n8k16<T>(sums, fragment_a, fragment_b);
  for (int i = 0; i < 4; ++i) d[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = sums[i];
}

class PtxWarp : public PtxBed {
 protected:
  // Small integers: exact in every format.
  static int a_at(int row, int k) { return (row * 7 + k * 3) % 11 - 5; }
  static int b_at(int k, int col) { return (k * 5 + col * 2) % 13 - 6; }

  template <class T, bool Transposed>
  void check_product() {
    std::vector<T> a(256), b(128);
    for (int i = 0; i < 256; ++i) a[i] = ptx::from_float<T>(static_cast<float>(a_at(i / 16, i % 16)));
    for (int i = 0; i < 128; ++i) {
      b[i] = ptx::from_float<T>(static_cast<float>(Transposed ? b_at(i / 8, i % 8) : b_at(i % 16, i / 16)));
    }
    float* d = upload(std::vector<float>(128));
    const Status status = run(32, 0, multiply<T, Transposed>, upload(a), upload(b), d);
    ASSERT_TRUE(status.ok()) << status.to_string();
    const std::vector<float> got = download(d, 128);
    for (int row = 0; row < 16; ++row) {
      for (int col = 0; col < 8; ++col) {
        int sum = row / 8 * 2 + col % 2 + 1;  // what the accumulators held
        for (int k = 0; k < 16; ++k) sum += a_at(row, k) * b_at(k, col);
        EXPECT_EQ(got[row * 8 + col], static_cast<float>(sum)) << row << ' ' << col;
      }
    }
  }
};
TEST_F(PtxWarp, ProductOfF16) {
  check_product<f16, false>();
}
TEST_F(PtxWarp, ProductOfBf16) {
  check_product<bf16, false>();
}
TEST_F(PtxWarp, ProductOfTransposedF16) {
  check_product<f16, true>();
}
TEST_F(PtxWarp, ProductOfTransposedBf16) {
  check_product<bf16, true>();
}

// One lane per entry of a table by hand: the registers come straight from memory.
__global__ void multiply_tf32(const float* a, const float* b, float* d) {
  const int g = static_cast<int>(threadIdx.x) / 4, t = static_cast<int>(threadIdx.x) % 4;
  const uint32_t fragment_a[4] = {ptx::to_tf32(a[g * 8 + t]), ptx::to_tf32(a[(g + 8) * 8 + t]),
                                  ptx::to_tf32(a[g * 8 + t + 4]), ptx::to_tf32(a[(g + 8) * 8 + t + 4])};
  const uint32_t fragment_b[2] = {ptx::to_tf32(b[t * 8 + g]), ptx::to_tf32(b[(t + 4) * 8 + g])};
  float sums[4] = {};
  ptx::mma_m16n8k8_tf32(sums, fragment_a, fragment_b);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = sums[i];
}
TEST_F(PtxWarp, ProductOfTf32) {
  std::vector<float> a(128), b(64);
  for (int i = 0; i < 128; ++i) a[i] = static_cast<float>(a_at(i / 8, i % 8));
  for (int i = 0; i < 64; ++i) b[i] = static_cast<float>(b_at(i / 8, i % 8));
  float* d = upload(std::vector<float>(128));
  ASSERT_TRUE(run(32, 0, multiply_tf32, upload(a), upload(b), d).ok());
  const std::vector<float> got = download(d, 128);
  for (int row = 0; row < 16; ++row) {
    for (int col = 0; col < 8; ++col) {
      int sum = 0;
      for (int k = 0; k < 8; ++k) sum += a_at(row, k) * b_at(k, col);
      EXPECT_EQ(got[row * 8 + col], static_cast<float>(sum)) << row << ' ' << col;
    }
  }
}

// Element [row][col] of matrix m holds 64 m + 8 row + col.
__global__ void load_matrices(uint32_t* out) {
  SPINERT_SHARED(uint16_t, tile, 4 * 64);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < 256; i += 32) tile[i] = static_cast<uint16_t>(i);
  __syncwarp();
  const uint32_t address = ptx::shared_address(tile + lane * 8);
  uint32_t four[4], two[2], one[1];
  ptx::ldmatrix_x4(four, address);
  for (int m = 0; m < 4; ++m) out[m * 32 + lane] = four[m];
  ptx::ldmatrix_x4_trans(four, address);
  for (int m = 0; m < 4; ++m) out[(4 + m) * 32 + lane] = four[m];
  ptx::ldmatrix_x2(two, address);
  for (int m = 0; m < 2; ++m) out[(8 + m) * 32 + lane] = two[m];
  ptx::ldmatrix_x2_trans(two, address);
  for (int m = 0; m < 2; ++m) out[(10 + m) * 32 + lane] = two[m];
  ptx::ldmatrix_x1(one, address);
  out[12 * 32 + lane] = one[0];
  ptx::ldmatrix_x1_trans(one, address);
  out[13 * 32 + lane] = one[0];
}
TEST_F(PtxWarp, LdmatrixFollowsTheFigureOfTheIsa) {
  uint32_t* out = upload(std::vector<uint32_t>(14 * 32));
  const Status status = run(32, 0, load_matrices, out);
  ASSERT_TRUE(status.ok()) << status.to_string();
  const std::vector<uint32_t> got = download(out, 14 * 32);
  // Lane, its pair of one matrix as stored, and its pair with .trans: low half, high half.
  constexpr unsigned kTable[][5] = {{0, 0, 1, 0, 8}, {1, 2, 3, 16, 24},    {3, 6, 7, 48, 56},
                                    {4, 8, 9, 1, 9}, {13, 26, 27, 19, 27}, {31, 62, 63, 55, 63}};
  for (const auto& [lane, low, high, trans_low, trans_high] : kTable) {
    const uint32_t plain = low | high << 16, trans = trans_low | trans_high << 16;
    for (unsigned m = 0; m < 4; ++m) {
      EXPECT_EQ(got[m * 32 + lane], plain + m * 0x400040u) << "x4 " << lane;
      EXPECT_EQ(got[(4 + m) * 32 + lane], trans + m * 0x400040u) << "x4.trans " << lane;
    }
    for (unsigned m = 0; m < 2; ++m) {
      EXPECT_EQ(got[(8 + m) * 32 + lane], plain + m * 0x400040u) << "x2 " << lane;
      EXPECT_EQ(got[(10 + m) * 32 + lane], trans + m * 0x400040u) << "x2.trans " << lane;
    }
    EXPECT_EQ(got[12 * 32 + lane], plain) << "x1 " << lane;
    EXPECT_EQ(got[13 * 32 + lane], trans) << "x1.trans " << lane;
  }
}

__global__ void misaligned_rows() {
  SPINERT_SHARED(uint16_t, tile, 512);
  for (int i = static_cast<int>(threadIdx.x); i < 512; i += 32) tile[i] = 0;
  __syncwarp();
  uint32_t r[4];
  ptx::ldmatrix_x4(r, ptx::shared_address(tile + threadIdx.x * 8 + 4));
}
__global__ void rows_without_barrier() {
  SPINERT_SHARED(uint16_t, tile, 256);
  for (int i = static_cast<int>(threadIdx.x); i < 256; i += 32) tile[i] = 0;
  uint32_t r[4];
  ptx::ldmatrix_x4(r, ptx::shared_address(tile + threadIdx.x * 8));
}
TEST_F(PtxWarp, MistakesOfLdmatrixAreCaught) {
  expect_caught("ldmatrix: address", 32, 0, misaligned_rows);
  expect_race("race", 32, 0, rows_without_barrier);
}

// ---- cp.async
// Three groups of one copy each; what has landed after each wait, seen by this thread.
__global__ void copy_groups(const int* in, int* out) {
  SPINERT_SHARED(int, tile, 32 * 12);
  const int thread = static_cast<int>(threadIdx.x);
  int* const mine = tile + thread * 12;
  for (int i = 0; i < 12; ++i) mine[i] = -1;
  const uint32_t to = ptx::shared_address(mine);
  ptx::cp_async_16(to, in + thread * 4, 16);
  ptx::cp_async_commit();
  ptx::cp_async_16(to + 16, in + thread * 4, 8);
  ptx::cp_async_commit();
  ptx::cp_async_8(to + 32, in + thread * 4, 4);
  ptx::cp_async_4(to + 40, in + thread * 4, 0);
  ptx::cp_async_4(to + 44, in + thread * 4, 4);
  ptx::cp_async_commit();
  ptx::cp_async_wait<2>();
  for (int i = 0; i < 4; ++i) out[thread * 12 + i] = mine[i];
  ptx::cp_async_wait<0>();
  for (int i = 4; i < 12; ++i) out[thread * 12 + i] = mine[i];
}
__global__ void copy_and_look(const int* in, int* out) {  // no wait at all
  SPINERT_SHARED(int, tile, 32 * 4);
  ptx::cp_async_16(ptx::shared_address(tile + threadIdx.x * 4), in + threadIdx.x * 4, 16);
  ptx::cp_async_commit();
  __syncthreads();
  out[threadIdx.x] = tile[threadIdx.x * 4];
}
__global__ void copy_wait_too_few(const int* in, int* out) {
  SPINERT_SHARED(int, tile, 32 * 4);
  ptx::cp_async_16(ptx::shared_address(tile + threadIdx.x * 4), in + threadIdx.x * 4, 16);
  ptx::cp_async_commit();
  ptx::cp_async_wait<1>();
  out[threadIdx.x] = tile[threadIdx.x * 4];
}
__global__ void copy_no_barrier(const int* in, int* out) {  // the neighbour's copy without a barrier
  SPINERT_SHARED(int, tile, 32 * 4);
  ptx::cp_async_16(ptx::shared_address(tile + threadIdx.x * 4), in + threadIdx.x * 4, 16);
  ptx::cp_async_commit();
  ptx::cp_async_wait<0>();
  out[threadIdx.x] = tile[(threadIdx.x ^ 1) * 4];
}
__global__ void copy_over_readers(const int* in, int* out) {  // a stage is filled again while others may still read it
  SPINERT_SHARED(int, tile, 4);
  if (threadIdx.x == 0) {
    ptx::cp_async_16(ptx::shared_address(tile), in, 16);
    ptx::cp_async_commit();
    ptx::cp_async_wait<0>();
  }
  __syncwarp();
  out[threadIdx.x] = tile[threadIdx.x % 4];
  if (threadIdx.x == 0) ptx::cp_async_16(ptx::shared_address(tile), in, 16);
}
__global__ void copy_misaligned(const int* in) {
  SPINERT_SHARED(int, tile, 8);
  if (threadIdx.x == 0) ptx::cp_async_16(ptx::shared_address(tile + 1), in, 16);
}
__global__ void copy_outside(const int* in) {
  SPINERT_SHARED(int, tile, 4);
  if (threadIdx.x == 0) ptx::cp_async_16(ptx::shared_address(tile), in + 4096, 16);
}
TEST_F(PtxWarp, CopiesLandAtTheirWait) {
  std::vector<int> in(128);
  for (int i = 0; i < 128; ++i) in[i] = 1000 + i;
  int* out = upload(std::vector<int>(32 * 12));
  const Status status = run(32, 0, copy_groups, upload(in), out);
  ASSERT_TRUE(status.ok()) << status.to_string();
  const std::vector<int> got = download(out, 32 * 12);
  for (int thread = 0; thread < 32; ++thread) {
    const int a = 1000 + thread * 4;
    const int expected[12] = {a, a + 1, a + 2, a + 3, a, a + 1, 0, 0, a, 0, 0, a};
    for (int i = 0; i < 12; ++i) EXPECT_EQ(got[thread * 12 + i], expected[i]) << thread << ' ' << i;
  }
}
TEST_F(PtxWarp, MistakesOfCpAsyncAreCaught) {
  const std::vector<int> in(128);
  const std::vector<int> out(128);
  expect_race("asynchronous copy", 32, 0, copy_and_look, upload(in), upload(out));
  expect_race("asynchronous copy", 32, 0, copy_wait_too_few, upload(in), upload(out));
  expect_race("race", 32, 0, copy_no_barrier, upload(in), upload(out));
  expect_race("race", 32, 0, copy_over_readers, upload(in), upload(out));
  expect_caught("cp.async, destination", 32, 0, copy_misaligned, upload(in));
  expect_caught("cp.async", 32, 0, copy_outside, upload(in));
}

// ---- named barriers
// The first warp hands a value to the second through barriers 1 (full) and 2 (empty), twice.
__global__ void hand_over(int* out) {
  SPINERT_SHARED(int, box, 32);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x < 32) {
      if (round > 0) ptx::named_barrier_sync(2, 64);
      box[lane] = 100 * round + lane;
      ptx::named_barrier_arrive(1, 64);
    } else {
      ptx::named_barrier_sync(1, 64);
      out[round * 32 + lane] = box[31 - lane];
      if (round == 0) ptx::named_barrier_arrive(2, 64);
    }
  }
}
__global__ void hand_over_without_empty(int* out) {
  SPINERT_SHARED(int, box, 32);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x < 32) {
      box[lane] = 100 * round + lane;
      ptx::named_barrier_arrive(1 + round, 64);
    } else {
      ptx::named_barrier_sync(1 + round, 64);
      out[round * 32 + lane] = box[31 - lane];
    }
  }
}
__global__ void barrier_of_part_of_a_warp() {
  ptx::named_barrier_sync(3, 40);
}
__global__ void barrier_16() {
  ptx::named_barrier_sync(16, 32);
}
__global__ void barrier_that_nobody_completes() {
  if (threadIdx.x < 32) ptx::named_barrier_sync(1, 64);
}
TEST_F(PtxWarp, NamedBarriers) {
  int* out = upload(std::vector<int>(64));
  const Status status = run(64, 0, hand_over, out);
  ASSERT_TRUE(status.ok()) << status.to_string();
  const std::vector<int> got = download(out, 64);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(got[i], i / 32 * 100 + 31 - i % 32);
  expect_race("race", 64, 0, hand_over_without_empty, upload(std::vector<int>(64)));
  expect_caught("whole warps", 64, 0, barrier_of_part_of_a_warp);
  expect_caught("ids are 0 to 15", 32, 0, barrier_16);
  expect_caught("deadlock", 64, 0, barrier_that_nobody_completes);
}

}  // namespace
}  // namespace spinert
