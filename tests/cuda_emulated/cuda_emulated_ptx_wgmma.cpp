// wgmma on the emulated card: the layout of D against the figure of the PTX ISA, products of operands that lie in
// shared memory with every swizzle against plain loops, and planted mistakes.
#include "kernels/base/emulation/ptx_model.h"
#include "tests/cuda_emulated/ptx_bed.h"

namespace spinert {
namespace {

using ptx::Swizzle;
using ptx_model::Position;

// Threads 0, 37, 66 and 127 of the figure "WGMMA .m64nNk16 register fragment layout for accumulator matrix D".
constexpr int kThreads[] = {0, 37, 66, 127};
constexpr Position kD[4][8] = {
    {{0, 0}, {0, 1}, {8, 0}, {8, 1}, {0, 8}, {0, 9}, {8, 8}, {8, 9}},
    {{17, 2}, {17, 3}, {25, 2}, {25, 3}, {17, 10}, {17, 11}, {25, 10}, {25, 11}},
    {{32, 4}, {32, 5}, {40, 4}, {40, 5}, {32, 12}, {32, 13}, {40, 12}, {40, 13}},
    {{55, 6}, {55, 7}, {63, 6}, {63, 7}, {55, 14}, {55, 15}, {63, 14}, {63, 15}},
};
TEST(PtxWgmmaLayout, FollowsTheFigureOfTheIsa) {
  for (int t = 0; t < 4; ++t) {
    for (int i = 0; i < 8; ++i) EXPECT_EQ(ptx_model::d_wgmma(kThreads[t], i), kD[t][i]) << kThreads[t] << ' ' << i;
  }
  EXPECT_EQ(ptx_model::d_wgmma(127, 127), (Position{63, 255}));
}

TEST(PtxWgmmaLayout, DescriptorHasItsFieldsInPlace) {
  // Start 0x1400, leading 128, stride 1024: 0x140 in bits 0-13, 8 in 16-29, 0x40 in 32-45, the mode in 62-63.
  EXPECT_EQ(ptx::wgmma_descriptor(0x1400, 128, 1024, Swizzle::bytes128), 0x4000004000080140u);
  EXPECT_EQ(ptx::wgmma_descriptor(0x1400, 128, 1024, Swizzle::bytes64), 0x8000004000080140u);
  EXPECT_EQ(ptx::wgmma_descriptor(0x1400, 128, 1024, Swizzle::bytes32), 0xC000004000080140u);
  EXPECT_EQ(ptx::wgmma_descriptor(0x1400, 128, 1024, Swizzle::none), 0x0000004000080140u);
}

constexpr int kK = 64, kM = 64;

// Byte of element [row][k] of an operand with `rows` rows. With a swizzle: blocks of as many k as a row of the pattern
// holds, pieces of 16 bytes exchanged by the row; without: core matrices of 8 rows x 16 bytes, two beside each other.
__device__ int place(Swizzle swizzle, int rows, int row, int k) {
  const int byte = k * 2;
  switch (swizzle) {
    case Swizzle::bytes128: return (byte / 128 * rows + row) * 128 + ((byte % 128 / 16) ^ (row % 8)) * 16 + byte % 16;
    case Swizzle::bytes64: return (byte / 64 * rows + row) * 64 + ((byte % 64 / 16) ^ (row % 8 / 2)) * 16 + byte % 16;
    case Swizzle::bytes32: return (byte / 32 * rows + row) * 32 + ((byte % 32 / 16) ^ (row % 8 / 4)) * 16 + byte % 16;
    case Swizzle::none: break;
  }
  return byte / 32 * rows * 32 + row / 8 * 256 + byte % 32 / 16 * 128 + row % 8 * 16 + byte % 16;
}
// Where the 16 columns of step `step` start.
__device__ uint32_t step_start(Swizzle swizzle, int rows, int step) {
  const int span = swizzle == Swizzle::none ? 32 : ptx::swizzle_span(swizzle);
  const int byte = step * 32;
  return static_cast<uint32_t>(byte / span * rows * span + byte % span);
}
__device__ uint64_t descriptor(uint32_t start, Swizzle swizzle) {
  return swizzle == Swizzle::none ? ptx::wgmma_descriptor(start, 128, 256, swizzle)
                                  : ptx::wgmma_descriptor(start, 16, ptx::swizzle_period(swizzle), swizzle);
}

enum class Mistake { none, no_proxy_fence, no_fence, no_wait, wrong_swizzle, no_barrier, overwrite };

// d [64][N] = a [64][64] b [N][64], after a first product that scale_d drops.
template <class T, int N, Swizzle swizzle, Mistake mistake = Mistake::none>
__global__ void multiply(const T* a, const T* b, float* d) {
  unsigned char* shared = dynamic_shared();
  unsigned char* shared_b = shared + kM * kK * 2;
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < kM * kK; i += 128) {
    *reinterpret_cast<T*>(shared + place(swizzle, kM, i / kK, i % kK)) = a[i];
  }
  for (int i = thread; i < N * kK; i += 128) {
    *reinterpret_cast<T*>(shared_b + place(swizzle, N, i / kK, i % kK)) = b[i];
  }
  if (mistake != Mistake::no_proxy_fence) ptx::fence_proxy_async();
  if (mistake != Mistake::no_barrier) __syncthreads();
  const uint32_t at_a = ptx::shared_address(shared), at_b = ptx::shared_address(shared_b);
  constexpr Swizzle kWrong = swizzle == Swizzle::bytes128 ? Swizzle::bytes64 : Swizzle::none;
  constexpr Swizzle kSaid = mistake == Mistake::wrong_swizzle ? kWrong : swizzle;
  float sums[N / 2];
  for (int i = 0; i < N / 2; ++i) sums[i] = 7;
  if (mistake != Mistake::no_fence) ptx::wgmma_fence();
  for (int step = 0; step < kK / 16; ++step) {
    ptx::wgmma_m64k16<T, N>(sums, descriptor(at_a + step_start(swizzle, kM, step), kSaid),
                            descriptor(at_b + step_start(swizzle, N, step), kSaid), step > 0);
  }
  ptx::wgmma_commit();
  if (mistake == Mistake::overwrite) {
    shared[thread] = 0;
  }
  if (mistake != Mistake::no_wait) ptx::wgmma_wait<0>();
  const int row = thread / 32 * 16 + thread % 32 / 4, col = thread % 4 * 2;
  for (int i = 0; i < N / 2; ++i) d[(row + i / 2 % 2 * 8) * N + i / 4 * 8 + col + i % 2] = sums[i];
}

class PtxWgmma : public PtxBed {
 protected:
  static int a_at(int row, int k) { return (row * 7 + k * 3) % 11 - 5; }
  static int b_at(int col, int k) { return (k * 5 + col * 2) % 13 - 6; }

  template <class T, int N>
  void operands(const T** a, const T** b) {
    std::vector<T> from_a(kM * kK), from_b(N * kK);
    for (int i = 0; i < kM * kK; ++i) from_a[i] = ptx::from_float<T>(static_cast<float>(a_at(i / kK, i % kK)));
    for (int i = 0; i < N * kK; ++i) from_b[i] = ptx::from_float<T>(static_cast<float>(b_at(i / kK, i % kK)));
    *a = upload(from_a);
    *b = upload(from_b);
  }
  static int64_t bytes(int n) { return (kM + n) * kK * 2; }

  template <class T, int N, Swizzle swizzle, Mistake mistake = Mistake::none>
  bool right() {
    const T *a, *b;
    operands<T, N>(&a, &b);
    float* d = upload(std::vector<float>(kM * N));
    const Status status = run(128, bytes(N), multiply<T, N, swizzle, mistake>, a, b, d);
    EXPECT_TRUE(status.ok()) << status.to_string();
    if (!status.ok()) return false;
    const std::vector<float> got = download(d, kM * N);
    for (int row = 0; row < kM; ++row) {
      for (int col = 0; col < N; ++col) {
        int sum = 0;
        for (int k = 0; k < kK; ++k) sum += a_at(row, k) * b_at(col, k);
        if (got[row * N + col] != static_cast<float>(sum)) return false;
      }
    }
    return true;
  }
  template <Mistake mistake>
  void caught(const char* words) {
    constexpr bool kRace =
        mistake == Mistake::no_proxy_fence || mistake == Mistake::no_barrier || mistake == Mistake::overwrite;
    const f16 *a, *b;
    operands<f16, 16>(&a, &b);
    float* d = upload(std::vector<float>(kM * 16));
    if (kRace) {
      expect_race(words, 128, bytes(16), multiply<f16, 16, Swizzle::bytes128, mistake>, a, b, d);
    } else {
      expect_caught(words, 128, bytes(16), multiply<f16, 16, Swizzle::bytes128, mistake>, a, b, d);
    }
  }
};

TEST_F(PtxWgmma, EverySwizzle) {
  EXPECT_TRUE((right<f16, 64, Swizzle::bytes128>()));
  EXPECT_TRUE((right<f16, 64, Swizzle::bytes64>()));
  EXPECT_TRUE((right<f16, 64, Swizzle::bytes32>()));
  EXPECT_TRUE((right<f16, 64, Swizzle::none>()));
}
TEST_F(PtxWgmma, WidthsAndTypes) {
  EXPECT_TRUE((right<bf16, 8, Swizzle::bytes128>()));
  EXPECT_TRUE((right<f16, 16, Swizzle::bytes128>()));
  EXPECT_TRUE((right<bf16, 128, Swizzle::bytes128>()));
  EXPECT_TRUE((right<f16, 256, Swizzle::bytes128>()));
}
TEST_F(PtxWgmma, MistakesAreCaught) {
  EXPECT_FALSE((right<f16, 64, Swizzle::bytes64, Mistake::wrong_swizzle>()));  // wrong numbers
  caught<Mistake::wrong_swizzle>("first row of a period");
  caught<Mistake::no_proxy_fence>("fence");
  caught<Mistake::no_fence>("wgmma_fence");
  caught<Mistake::no_wait>("wgmma_wait");
  caught<Mistake::no_barrier>("race");
  caught<Mistake::overwrite>("asynchronous operation");
}

// Two groups in flight: after wgmma_wait<1> the first has landed and the second has not.
__global__ void two_groups(float* d) {
  auto* shared = reinterpret_cast<uint16_t*>(dynamic_shared());
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 1024 + 256; i += 128) shared[i] = ptx::f16_bits(1.0f);
  ptx::fence_proxy_async();
  __syncthreads();
  const uint32_t at = ptx::shared_address(shared);
  const uint64_t a = ptx::wgmma_descriptor(at, 128, 256, Swizzle::none);
  const uint64_t b = ptx::wgmma_descriptor(at + 2048, 128, 256, Swizzle::none);
  float first[8] = {}, second[8] = {};
  ptx::wgmma_fence();
  ptx::wgmma_m64k16<f16, 16>(first, a, b);
  ptx::wgmma_commit();
  ptx::wgmma_fence();
  ptx::wgmma_m64k16<f16, 16>(second, a, b);
  ptx::wgmma_commit();
  ptx::wgmma_wait<1>();
  d[thread] = first[0];
  ptx::wgmma_wait<0>();
  d[128 + thread] = second[0];
}
__global__ void two_groups_looked_at_early(float* d) {
  auto* shared = reinterpret_cast<uint16_t*>(dynamic_shared());
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 1024 + 256; i += 128) shared[i] = ptx::f16_bits(1.0f);
  ptx::fence_proxy_async();
  __syncthreads();
  const uint32_t at = ptx::shared_address(shared);
  float sums[8] = {};
  ptx::wgmma_fence();
  ptx::wgmma_m64k16<f16, 16>(sums, ptx::wgmma_descriptor(at, 128, 256, Swizzle::none),
                             ptx::wgmma_descriptor(at + 2048, 128, 256, Swizzle::none));
  ptx::wgmma_commit();
  ptx::wgmma_wait<1>();
  d[thread] = sums[0];
  ptx::wgmma_wait<0>();
}
TEST_F(PtxWgmma, GroupsLandAtTheirWait) {
  float* d = upload(std::vector<float>(256));
  const Status status = run(128, 2560, two_groups, d);
  ASSERT_TRUE(status.ok()) << status.to_string();
  for (const float value : download(d, 256)) EXPECT_EQ(value, 16.0f);
  ASSERT_TRUE(run(128, 2560, two_groups_looked_at_early, d).ok());
  for (const float value : download(d, 128)) EXPECT_EQ(value, 0.0f);
}

__global__ void misplaced_start() {
  const uint32_t at = ptx::shared_address(dynamic_shared()) + 128;  // the second row of the pattern
  float sums[4] = {};
  ptx::wgmma_fence();
  ptx::wgmma_m64k16<f16, 8>(sums, ptx::wgmma_descriptor(at, 0, 1024, Swizzle::bytes128),
                            ptx::wgmma_descriptor(at, 0, 1024, Swizzle::bytes128));
}
__global__ void three_warps() {
  ptx::wgmma_fence();
}
TEST_F(PtxWgmma, ImpossibleCallsAreCaught) {
  expect_caught("first row of a period", 128, 16384, misplaced_start);
  expect_caught("wgmma.fence", 96, 0, three_warps);
}

}  // namespace
}  // namespace spinert
