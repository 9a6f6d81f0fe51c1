// Planted mistakes in kernels, each beside its corrected twin: the emulation must find the one and pass the other.
// Compiled like a kernel. Under the address sanitizer plain accesses have no race check (kernels/base/emulation/
// CMakeLists.txt); accesses out of bounds then stop the program.
#include <gtest/gtest.h>

#include "kernels/base/cuda.cuh"
#include "tests/cuda_emulated/emulated_card.h"

namespace spinert {
namespace {

using namespace emulation;  // NOLINT: its tests

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAccessesSeen = false;
#define EXPECT_OUT_OF_BOUNDS(launched, card, text) EXPECT_DEATH((launched, (void)(card).status()), "use-after-poison")
#else
constexpr bool kAccessesSeen = true;
#define EXPECT_OUT_OF_BOUNDS(launched, card, text) \
  launched;                                        \
  EXPECT_TRUE((card).found(text)) << (card).status().to_string()
#endif
#define NEEDS_ACCESSES() \
  if (!kAccessesSeen) GTEST_SKIP() << "the address sanitizer takes the place of the race check in this build"

// ---- races

enum class Mistake : int { none, no_barrier_before_read, no_barrier_before_write, shuffle_as_barrier, half_a_word };

__global__ void exchange_kernel(int* out, Mistake mistake) {
  SPINERT_SHARED(int, tile, 64);
  const unsigned i = threadIdx.x;
  for (int step = 0; step < 3; ++step) {
    tile[i] = static_cast<int>(i) + step;
    if (mistake != Mistake::no_barrier_before_read) __syncthreads();
    out[i] = tile[(i + 33) % 64];
    if (mistake != Mistake::no_barrier_before_write) __syncthreads();
  }
}

__global__ void warp_kernel(int* out, Mistake mistake) {
  SPINERT_SHARED(int, tile, 64);
  const unsigned i = threadIdx.x;
  tile[i] = static_cast<int>(i);
  if (mistake == Mistake::shuffle_as_barrier) {
    out[i] = __shfl_xor_sync(~0u, static_cast<int>(i), 1);
  } else {
    __syncwarp();
  }
  out[i] = tile[i ^ 1];
}

__global__ void bytes_kernel(int* out, Mistake mistake) {
  auto* bytes = spinert::dynamic_shared();
  const unsigned i = threadIdx.x;
  bytes[i] = static_cast<unsigned char>(i);
  if (mistake == Mistake::half_a_word) {
    out[i] = reinterpret_cast<const uint16_t*>(bytes)[i / 2];
  } else {
    out[i] = bytes[i];
  }
}

Status run_mistake(void (*kernel)(int*, Mistake), Mistake mistake, uint64_t seed) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>(64));
  set_seed(seed);
  launch(card.context, {.block = 64, .shared = 64}, kernel, out, mistake);
  const Status status = card.status();
  set_seed(0);
  return status;
}

TEST(Race, MissingBarriersAreFoundForEverySeed) {
  NEEDS_ACCESSES();
  const struct {
    void (*kernel)(int*, Mistake);
    Mistake mistake;
  } kCases[] = {{exchange_kernel, Mistake::no_barrier_before_read},
                {exchange_kernel, Mistake::no_barrier_before_write},
                {warp_kernel, Mistake::shuffle_as_barrier},
                {bytes_kernel, Mistake::half_a_word}};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (const auto& [kernel, mistake] : kCases) {
      const Status right = run_mistake(kernel, Mistake::none, seed), wrong = run_mistake(kernel, mistake, seed);
      EXPECT_TRUE(right.ok()) << right.to_string();
      EXPECT_EQ(wrong.id(), ErrorId::E_VERIFY) << static_cast<int>(mistake);
      EXPECT_NE(wrong.message().find("race on byte"), std::string::npos) << wrong.to_string();
    }
  }
}

__global__ void atomic_kernel(int* out, bool plain_read) {
  SPINERT_SHARED(int, sum, 1);
  if (threadIdx.x == 0) *sum = 0;
  __syncthreads();
  atomicAdd(sum, 1);
  if (!plain_read) __syncthreads();
  if (threadIdx.x == 33) *out = *sum;
}

TEST(Race, AtomicsRaceWithPlainAccessesOnly) {
  NEEDS_ACCESSES();
  for (const bool plain_read : {false, true}) {
    EmulatedCard card;
    int* out = card.put(std::vector<int>(1));
    launch(card.context, {.block = 64}, atomic_kernel, out, plain_read);
    EXPECT_EQ(card.status().ok(), !plain_read) << card.status().to_string();
    if (plain_read) {
      EXPECT_TRUE(card.found("atomic")) << card.status().to_string();
    } else {
      EXPECT_EQ(card.get(out, 1)[0], 64);
    }
  }
}

// Warp 0 fills, warp 1 takes; bar.arrive on one side, bar.sync on the other.
__global__ void handover_kernel(int* out, bool wait) {
  SPINERT_SHARED(int, tile, 32);
  const unsigned lane = threadIdx.x % 32;
  for (int round = 0; round < 4; ++round) {
    if (threadIdx.x < 32) {
      tile[lane] = static_cast<int>(lane) * round;
      arrive(Scope::named(1, 64), "bar.arrive");
      rendezvous(Scope::named(2, 64), "bar.sync", nullptr, nullptr, Order::joined);
    } else {
      if (wait) rendezvous(Scope::named(1, 64), "bar.sync", nullptr, nullptr, Order::joined);
      out[lane] = tile[31 - lane];
      arrive(Scope::named(2, 64), "bar.arrive");
    }
  }
}

TEST(NamedBarrier, HandsOver) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>(32));
  launch(card.context, {.block = 64}, handover_kernel, out, true);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  const std::vector<int> got = card.get(out, 32);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(got[i], (31 - i) * 3);
}

TEST(NamedBarrier, WithoutTheWaitItIsARace) {
  NEEDS_ACCESSES();
  EmulatedCard card;
  int* out = card.put(std::vector<int>(32));
  launch(card.context, {.block = 64}, handover_kernel, out, false);
  EXPECT_TRUE(card.found("race on byte")) << card.status().to_string();
}

// ---- meetings with a body

void sum_body(void* const* lanes, int slots) {
  int sum = 0;
  for (int i = 0; i < slots; ++i) sum += lanes[i] ? *static_cast<const int*>(lanes[i]) : 0;
  for (int i = 0; i < slots; ++i) {
    if (lanes[i]) *static_cast<int*>(lanes[i]) = sum;
  }
}
__global__ void sum_kernel(int* out) {
  int group = 1 + static_cast<int>(threadIdx.x) / 128, whole = 1;
  rendezvous(Scope::warpgroup(), "sum", &group, sum_body, Order::none);
  rendezvous(Scope::block(), "sum", &whole, sum_body, Order::none);
  out[threadIdx.x] = group * 1000 + whole;
}

TEST(Rendezvous, BodySeesEveryLane) {
  EmulatedCard card;
  int* out = card.put(std::vector<int>(256));
  launch(card.context, {.block = 256}, sum_kernel, out);
  ASSERT_TRUE(card.status().ok()) << card.status().to_string();
  const std::vector<int> got = card.get(out, 256);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(got[i], (i / 128 + 1) * 128000 + 256);
}

__global__ void mixed_kernel() {
  if (threadIdx.x % 2 == 0) {
    __syncwarp();
  } else {
    __ballot_sync(~0u, 1);
  }
}
__global__ void masks_kernel() {
  if (threadIdx.x < 16) {
    __syncwarp(0x1FFFFu);
  } else {
    __syncwarp();
  }
}
__global__ void absent_lane_kernel(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0xFFFFu, 1, 20);
}

TEST(Warp, MisuseIsReported) {
  EmulatedCard mixed, masks, absent;
  launch(mixed.context, {.block = 32}, mixed_kernel);
  launch(masks.context, {.block = 32}, masks_kernel);
  launch(absent.context, {.block = 32}, absent_lane_kernel, absent.put(std::vector<int>(32)));
  EXPECT_TRUE(mixed.found("different operations")) << mixed.status().to_string();
  EXPECT_TRUE(masks.found("threads 0-15 wait at __syncwarp (lanes 0x1ffff); threads 16-31 wait"))
      << masks.status().to_string();
  EXPECT_TRUE(absent.found("reads lane 20")) << absent.status().to_string();
}

// ---- deadlocks

__global__ void divergent_kernel(int* out) {
  if (threadIdx.x < 32) {
    rendezvous(Scope::named(1, 64), "bar.sync", nullptr, nullptr, Order::joined);
  } else {
    __syncthreads();
  }
  *out = 1;
}
__global__ void never_kernel() {
  wait_until([](void*) { return false; }, nullptr, "a flag that nobody sets");
}

TEST(Deadlock, IsReportedWithWhoWaits) {
  EmulatedCard divergent, never;
  launch(divergent.context, {.grid_x = 3, .block = 64}, divergent_kernel, divergent.put(std::vector<int>(1)));
  launch(never.context, {.block = 64}, never_kernel);
  EXPECT_TRUE(divergent.found("threads 0-31 wait at bar.sync; threads 32-63 wait at __syncthreads"))
      << divergent.status().to_string();
  EXPECT_TRUE(never.found("threads 0-63 wait at a flag that nobody sets")) << never.status().to_string();
  // The next launch of another stream is not disturbed.
  EmulatedCard next;
  int* out = next.put(std::vector<int>(256));
  launch(next.context, {.block = 256}, sum_kernel, out);
  EXPECT_TRUE(next.status().ok()) << next.status().to_string();
}

// ---- asynchronous operations

// What a copy leaves for those who wait for it. Not on the stacks of the threads, which a failure drops.
struct Copy {
  Clock clock;
  bool done;
};
Copy copies[32];

__global__ void copy_kernel(int* out, const int* in, Mistake mistake) {
  SPINERT_SHARED(int, tile, 32);
  const unsigned i = threadIdx.x;
  {
    const Inside inside;
    copies[i] = {fork(Agent::own), false};
    defer([=] {
      note_write(&tile[i], 4, "copy", copies[i].clock);
      tile[i] = in[i];
      copies[i].done = true;
    });
    if (mistake == Mistake::none) {
      wait_until([](void* copy) { return static_cast<const Copy*>(copy)->done; }, &copies[i], "copy");
      acquire(copies[i].clock);
    }
  }
  __syncthreads();
  out[i] = tile[(i + 1) % 32];
}

TEST(Asynchronous, ReadersMustWait) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    for (const Mistake mistake : {Mistake::none, Mistake::no_barrier_before_read}) {
      EmulatedCard card;
      std::vector<int> values(32);
      for (int i = 0; i < 32; ++i) values[i] = i * i;
      const int* in = card.put(values);
      int* out = card.put(std::vector<int>(32));
      set_seed(seed);
      launch(card.context, {.block = 32}, copy_kernel, out, in, mistake);
      (void)card.status();
      set_seed(0);
      if (mistake == Mistake::none) {
        ASSERT_TRUE(card.status().ok()) << card.status().to_string();
        EXPECT_EQ(card.get(out, 32)[3], 16);
      } else if (kAccessesSeen) {
        EXPECT_TRUE(card.found("asynchronous copy")) << card.status().to_string();
      }
    }
  }
}

__global__ void store_kernel(bool fence) {
  auto* tile = spinert::dynamic_shared();
  note_write(tile + threadIdx.x, 1, "store");
  if (fence) proxy_fence();
  __syncthreads();
  if (threadIdx.x == 5) {
    check_fenced(tile, 64, "bulk store");
    note_read(tile, 64, "bulk store", fork(Agent::fresh));
  }
}

TEST(Asynchronous, ProxyFence) {
  EmulatedCard right, wrong;
  launch(right.context, {.block = 64, .shared = 64}, store_kernel, true);
  launch(wrong.context, {.block = 64, .shared = 64}, store_kernel, false);
  EXPECT_TRUE(right.status().ok()) << right.status().to_string();
  EXPECT_TRUE(wrong.found("no proxy fence")) << wrong.status().to_string();
}

// ---- addresses

__global__ void tail_kernel(int* out, int count, int limit) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < limit) out[i] = count;
}
__global__ void shared_tail_kernel(int* out, int over) {
  auto* dynamic = reinterpret_cast<int*>(spinert::dynamic_shared());
  SPINERT_SHARED(int, tile, 32);
  tile[threadIdx.x] = 1;
  dynamic[threadIdx.x] = 2;
  if (over == 1 && threadIdx.x == 31) dynamic[32] = 3;
  if (over == 2 && threadIdx.x == 31) tile[32] = 3;
  out[threadIdx.x] = tile[threadIdx.x] + dynamic[threadIdx.x];
}

TEST(OutOfBounds, TailOfDeviceMemory) {
  EmulatedCard right, wrong;
  int* fits = right.put(std::vector<int>(70));
  int* tail = wrong.put(std::vector<int>(70));
  launch(right.context, {.grid_x = 3, .block = 32}, tail_kernel, fits, 70, 70);
  EXPECT_TRUE(right.status().ok()) << right.status().to_string();
  EXPECT_OUT_OF_BOUNDS(launch(wrong.context, {.grid_x = 3, .block = 32}, tail_kernel, tail, 70, 71), wrong,
                       "byte 280 of an allocation of 280 bytes");
}

TEST(OutOfBounds, SharedMemory) {
  for (const int over : {0, 1, 2}) {
    EmulatedCard card;
    int* out = card.put(std::vector<int>(32));
    const auto run = [&] { launch(card.context, {.block = 32, .shared = 128}, shared_tail_kernel, out, over); };
    if (over == 0) {
      run();
      EXPECT_TRUE(card.status().ok()) << card.status().to_string();
    } else {
      EXPECT_OUT_OF_BOUNDS(run(), card, over == 1 ? "byte 128 of dynamic" : "byte 128 of shared array 0");
    }
  }
}

TEST(OutOfBounds, MemoryThatWasReleased) {
  EmulatedCard card;
  int* keeps = card.put(std::vector<int>(8));
  int* gone = card.put(std::vector<int>(70));
  card.device->release(gone);
  EXPECT_OUT_OF_BOUNDS(launch(card.context, {.grid_x = 3, .block = 32}, tail_kernel, gone, 70, 70), card,
                       "outside device memory");
  EXPECT_NE(keeps, gone);
}

const int kTable[4] = {1, 2, 3, 4};
__global__ void table_kernel(int* out, const int* extra) {
  out[threadIdx.x] = kTable[threadIdx.x % 4] + (extra ? extra[0] : 0);
}

TEST(HostPointer, IsFoundAndConstantsAreNot) {
  NEEDS_ACCESSES();
  EmulatedCard card;
  int* out = card.put(std::vector<int>(32));
  launch(card.context, {.block = 32}, table_kernel, out, static_cast<const int*>(nullptr));
  EXPECT_TRUE(card.status().ok()) << card.status().to_string();
  const std::vector<int> host(1);
  launch(card.context, {.block = 32}, table_kernel, out, host.data());
  EXPECT_TRUE(card.found("host pointer")) << card.status().to_string();
}

TEST(HostPointer, DevicePointerOnTheHost) {
  NEEDS_ACCESSES();
  EmulatedCard card;
  volatile int* memory = card.put(std::vector<int>(32));
  EXPECT_EQ(memory[3], 0);
  EXPECT_TRUE(card.found("code of the host")) << card.status().to_string();
}

}  // namespace
}  // namespace spinert
