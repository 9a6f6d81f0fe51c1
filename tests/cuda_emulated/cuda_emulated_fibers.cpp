// The emulation itself: what CUDA promises to a kernel, and that planted mistakes are found. Compiled like a kernel.
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "kernels/base/cuda.cuh"
#include "tests/cuda_emulated/emulated_card.h"

namespace spinert {
namespace {

using namespace emulation;  // NOLINT: its tests

// ---- barriers and shared memory

__global__ void reverse_kernel(int* data) {
  SPINERT_SHARED(int, tile, 256);
  tile[threadIdx.x] = data[blockIdx.x * 256 + threadIdx.x];
  __syncthreads();
  data[blockIdx.x * 256 + threadIdx.x] = tile[255 - threadIdx.x];
}

TEST(Barrier, OrdersSharedMemory) {
  EmulatedCard card;
  std::vector<int> data(4 * 256);
  std::iota(data.begin(), data.end(), 0);
  int* memory = card.put(data);
  launch(card.context, {.grid_x = 4, .block = 256}, reverse_kernel, memory);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  const std::vector<int> got = card.get(memory, data.size());
  for (int i = 0; i < 4 * 256; ++i) EXPECT_EQ(got[i], i / 256 * 256 + 255 - i % 256);
}

// Neighbouring bytes by different threads, and a barrier in a loop, in both directions.
__global__ void rotate_kernel(unsigned char* out, int steps) {
  auto* ring = spinert::dynamic_shared();
  ring[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
  for (int i = 0; i < steps; ++i) {
    __syncthreads();
    const unsigned char next = ring[(threadIdx.x + 1) % blockDim.x];
    __syncthreads();
    ring[threadIdx.x] = next;
  }
  out[threadIdx.x] = ring[threadIdx.x];
}

TEST(Barrier, ThousandTimes) {
  EmulatedCard card;
  auto* out = card.put(std::vector<unsigned char>(256));
  launch(card.context, {.block = 256, .shared = 256}, rotate_kernel, out, 500);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  const auto got = card.get(out, 256);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(got[i], (i + 500) % 256);
}

__global__ void exit_early_kernel(int* out) {
  SPINERT_SHARED(int, sum, 1);
  if (threadIdx.x >= 40) return;
  if (threadIdx.x == 0) *sum = 0;
  __syncthreads();
  atomicAdd(sum, 1);
  __syncthreads();
  if (threadIdx.x == 39) *out = *sum;
}

TEST(Barrier, DoesNotWaitForThreadsThatHaveExited) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>(1));
  launch(card.context, {.block = 96}, exit_early_kernel, out);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  EXPECT_EQ(card.get(out, 1)[0], 40);
}

template <class T>
__device__ T* own_array() {
  SPINERT_SHARED(T, array, 32);
  return array;
}
__global__ void layout_kernel(unsigned* out) {
  const unsigned char* dynamic = spinert::dynamic_shared();
  const unsigned* words = own_array<unsigned>();
  const int* numbers = own_array<int>();
  if (threadIdx.x != 0) return;
  out[0] = shared_address(dynamic) % 1024;
  out[1] = static_cast<const void*>(words) != static_cast<const void*>(numbers) && words == own_array<unsigned>();
  out[2] = words[31];
  out[3] = dynamic[99];
}

TEST(SharedMemory, OneArrayForEachInstantiationFilledWithOnes) {
  EmulatedCard card;
  unsigned* out = card.put(std::vector<unsigned>(4));
  launch(card.context, {.grid_x = 2, .block = 32, .shared = 100}, layout_kernel, out);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  EXPECT_EQ(card.get(out, 4), (std::vector<unsigned>{0, 1, 0xFFFFFFFFu, 0xFF}));
}

// ---- warp collectives

__global__ void shuffle_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int* mine = out + lane * 8;
  mine[0] = __shfl_sync(~0u, lane * 10, 7);
  mine[1] = __shfl_sync(~0u, lane * 10, 11, 8);
  mine[2] = __shfl_up_sync(~0u, lane, 3);
  mine[3] = __shfl_down_sync(~0u, lane, 3, 16);
  mine[4] = __shfl_xor_sync(~0u, lane, 5);
  mine[5] = static_cast<int>(__shfl_xor_sync(~0u, static_cast<float>(lane), 16));
  mine[6] = static_cast<int>(__shfl_sync(~0u, (int64_t{1} << 40) + lane, 9) >> 8 & 0xFF);
  mine[7] = static_cast<int>(__shfl_down_sync(~0u, 0x100000000ull * lane, 1u) >> 32);
}

TEST(Warp, Shuffles) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>(32 * 8));
  launch(card.context, {.block = 32}, shuffle_kernel, out);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  const std::vector<int> got = card.get(out, 32 * 8);
  for (int i = 0; i < 32; ++i) {
    const int* mine = &got[static_cast<size_t>(i) * 8];
    EXPECT_EQ(mine[0], 70);
    EXPECT_EQ(mine[1], (i / 8 * 8 + 3) * 10);
    EXPECT_EQ(mine[2], i < 3 ? i : i - 3);
    EXPECT_EQ(mine[3], i % 16 + 3 > 15 ? i : i + 3);
    EXPECT_EQ(mine[4], i ^ 5);
    EXPECT_EQ(mine[5], i ^ 16);
    EXPECT_EQ(mine[6], 0);
    EXPECT_EQ(mine[7], i == 31 ? 31 : i + 1);
  }
}

__global__ void vote_kernel(unsigned* out) {
  const unsigned lane = threadIdx.x;
  if (lane < 20) {  // two parts of a warp, each with its own mask
    out[lane] = __ballot_sync(0xFFFFFu, lane % 3 == 0);
  } else {
    out[lane] = static_cast<unsigned>(__any_sync(0xFFF00000u, lane == 31) * 2 + __all_sync(0xFFF00000u, lane >= 20));
  }
  __syncwarp();
  out[32 + lane] = static_cast<unsigned>(__any_sync(~0u, 0) * 2 + __all_sync(~0u, lane < 31));
}

TEST(Warp, Votes) {
  EmulatedCard card;
  unsigned* out = card.put(std::vector<unsigned>(64));
  launch(card.context, {.block = 32}, vote_kernel, out);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  const auto got = card.get(out, 64);
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(got[i], i < 20 ? 0x49249u : 3u);
    EXPECT_EQ(got[32 + i], 0u);
  }
}

__global__ void bits_kernel(int* out) {
  out[0] = __popc(0xF0F0u) + __popcll(0xFFull << 40);
  out[1] = __ffs(0) * 100 + __ffs(8);
  out[2] = __ffsll(1ll << 40);
  out[3] = __clz(1) * 100 + __clz(0);
  out[4] = __clzll(1);
  out[5] = __brev(1u) == 0x80000000u && __brev(0x12345678u) == 0x1E6A2C48u;
  out[6] = min(-3, 4) + max(2u, 7u);
  out[7] = max(1.0f, __uint_as_float(0x7FC00000u)) == 1.0f;
}

TEST(Intrinsics, Bits) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>(8));
  launch(card.context, {.block = 32}, bits_kernel, out);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  EXPECT_EQ(card.get(out, 8), (std::vector<int>{16, 4, 41, 3132, 63, 1, 4, 1}));
}

__global__ void atomic_kernel(int* out, unsigned long long* wide) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&out[0], i);
  atomicMax(&out[1], i);
  atomicMin(&out[2], -i);
  atomicOr(&out[3], 1 << (i % 8));
  atomicAnd(&out[4], ~(1 << (i % 8)));
  for (int seen = out[5];;) {
    const int old = atomicCAS(&out[5], seen, seen + 2);
    if (old == seen) break;
    seen = old;
  }
  if (i == 5) atomicExch(&out[6], 77);
  atomicAdd(&wide[0], 1ull << 33);
}

TEST(Atomics, AllKinds) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>{0, -1, 1, 0, 0xFFF, 0, 0});
  auto* wide = card.put(std::vector<unsigned long long>(1));
  launch(card.context, {.grid_x = 3, .block = 64}, atomic_kernel, out, wide);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  EXPECT_EQ(card.get(out, 7), (std::vector<int>{191 * 96, 191, -191, 0xFF, 0xF00, 384, 77}));
  EXPECT_EQ(card.get(wide, 1)[0], 192ull << 33);
}

// ---- order of blocks and threads

__global__ void ticket_kernel(int* next, int* ticket) {
  const int mine = atomicAdd(next, 1);
  ticket[blockIdx.x * blockDim.x + threadIdx.x] = mine;
}

std::vector<int> tickets(uint64_t seed, int blocks) {
  EmulatedCard card;
  int* next = card.put(std::vector<int>(1));
  int* out = card.put(std::vector<int>(static_cast<size_t>(blocks) * 32));
  set_seed(seed);
  launch(card.context, {.grid_x = blocks, .block = 32}, ticket_kernel, next, out);
  EXPECT_TRUE(card.status().ok()) << card.status().to_string();
  set_seed(0);
  return card.get(out, static_cast<size_t>(blocks) * 32);
}

TEST(Order, BlocksAndThreadsAreShuffledBySeed) {
  const std::vector<int> first = tickets(1, 8), second = tickets(2, 8);
  EXPECT_EQ(first, tickets(1, 8));
  EXPECT_NE(first, second);
  // A block takes 32 tickets in a row: which block came when, and which thread within.
  std::vector<int> blocks, threads(first.begin(), first.begin() + 32);
  for (size_t i = 0; i < 8; ++i) blocks.push_back(first[i * 32] / 32);
  EXPECT_FALSE(std::is_sorted(blocks.begin(), blocks.end()));
  EXPECT_FALSE(std::is_sorted(threads.begin(), threads.end()));
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 256u);
}

TEST(Launch, EmptyGridDoesNothing) {
  EmulatedCard card;
  launch(card.context, {.grid_x = 0, .block = 32}, bits_kernel, static_cast<int*>(nullptr));
  EXPECT_TRUE(card.status().ok()) << card.status().to_string();
}

// ---- the card

TEST(Card, RefusesWhatDoesNotFit) {
  EmulatedCard shared, threads, part;
  int* out = nullptr;
  launch(shared.context, {.block = 32, .shared = (227 << 10) + 1}, bits_kernel, out);
  launch(threads.context, {.block = 2048}, bits_kernel, out);
  launch(part.context, {.block = 33}, bits_kernel, out);
  EXPECT_EQ(shared.status().id(), ErrorId::E_DEVICE);
  EXPECT_EQ(threads.status().id(), ErrorId::E_DEVICE);
  EXPECT_EQ(part.status().id(), ErrorId::E_DEVICE);
}

TEST(Card, FailsWhereTheTestWants) {
  set_card({.major = 8, .minor = 6, .multiprocessors = 7, .fail_allocation = 2, .fail_launch = 2});
  EmulatedCard card;
  set_card({.major = 7});
  EXPECT_EQ(CudaDevice::open(0).status().id(), ErrorId::E_DEVICE);
  set_card({});
  EXPECT_EQ(CudaDevice::open(1).status().id(), ErrorId::E_DEVICE);
  EXPECT_EQ(card.device->card().level(), Level::sm80);
  EXPECT_EQ(card.device->card().multiprocessors, 7);
  auto memory = card.device->allocate(32);
  ASSERT_TRUE(memory.ok());
  EXPECT_EQ(card.device->allocate(32).status().id(), ErrorId::E_OOM_DEVICE);
  launch(card.context, {.block = 32}, bits_kernel, static_cast<int*>(memory.value()));
  EXPECT_TRUE(card.status().ok());
  launch(card.context, {.block = 32}, bits_kernel, static_cast<int*>(memory.value()));
  EXPECT_EQ(card.status().id(), ErrorId::E_DEVICE);
}

TEST(Card, TransfersStayInsideAllocations) {
  EmulatedCard card;
  std::vector<char> host(300);
  void* memory = card.device->allocate(200).value();
  card.device->stream().upload(memory, host.data(), 200);
  EXPECT_TRUE(card.status().ok());
  card.device->stream().upload(memory, host.data(), 201);
  EXPECT_EQ(card.status().id(), ErrorId::E_VERIFY);
}

}  // namespace
}  // namespace spinert
