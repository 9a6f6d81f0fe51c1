#include "bench/roof.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "bench/fma_loop.h"

namespace spinert::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

constexpr int kTries = 5;                    // the best counts: everything else is disturbance
constexpr int64_t kRounds = 4'000'000;       // some 10 ms per try
constexpr int64_t kReadBytes = 256ll << 20;  // per try, beyond any cache that matters

struct Loop {
  float (*run)(int64_t rounds);
  int64_t flops;
};

Loop loop_of(Level level) {
  if (level >= Level::avx512) return {fma_loop_avx512, kFlopsAvx512};
  if (level == Level::avx2) return {fma_loop_avx2, kFlopsAvx2};
  return {fma_loop_scalar, kFlopsScalar};
}

}  // namespace

Roof measure_roof(Level level, ThreadPool& pool) {
  const Loop loop = loop_of(level);
  std::vector<double> sink(static_cast<size_t>(pool.size()));  // results must be used, or the loops vanish
  Roof roof;
  for (int i = 0; i < kTries; ++i) {
    const auto begin = Clock::now();
    pool.run(pool.size(), [&](WorkRange range) { sink[static_cast<size_t>(range.thread)] = loop.run(kRounds); });
    const double flops = static_cast<double>(pool.size()) * static_cast<double>(kRounds * loop.flops);
    roof.gflops = std::max(roof.gflops, flops / seconds(begin) * 1e-9);
  }
  constexpr int64_t kWords = kReadBytes / 8;
  std::vector<uint64_t> memory(kWords, 1);
  std::vector<uint64_t> sums(static_cast<size_t>(pool.size()));
  for (int i = 0; i < kTries; ++i) {
    const auto begin = Clock::now();
    pool.run(kWords, [&](WorkRange range) {
      // Four sums, so that additions do not wait for each other.
      uint64_t s[4] = {0, 0, 0, 0};
      int64_t w = range.begin;
      for (; w + 32 <= range.end; w += 32) {
        for (int64_t j = 0; j < 32; ++j) s[j & 3] += memory[static_cast<size_t>(w + j)];
      }
      sums[static_cast<size_t>(range.thread)] += s[0] + s[1] + s[2] + s[3];
    });
    roof.gbytes = std::max(roof.gbytes, static_cast<double>(kReadBytes) / seconds(begin) * 1e-9);
  }
  volatile double keep = sink[0] + static_cast<double>(sums[0]);
  (void)keep;
  return roof;
}

double roof_seconds(const Cost& cost, const Roof& roof) {
  return std::max(cost.flops / (roof.gflops * 1e9), cost.bytes / (roof.gbytes * 1e9));
}

int64_t last_level_cache() {
  const long bytes = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? bytes : 32ll << 20;
}

}  // namespace spinert::bench
