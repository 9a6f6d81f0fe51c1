#include "bench/roof.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "bench/fma_loop.h"
#include "bench/timing.h"

namespace spinert::bench {
namespace {

constexpr int kTries = 5, kShortTries = 30;  // the best counts: everything else is disturbance
constexpr int64_t kRounds = 300'000;         // of vectors: about a millisecond per try
constexpr int64_t kTileRounds = 15'000;      // a product of tiles takes 16 cycles
constexpr int64_t kCopyBytes = 256ll << 20;  // per try, beyond any cache that matters

struct Loop {
  const char* name;
  Level level;
  float (*run)(int64_t rounds);
  int64_t operations, rounds;
};

// The widest fp32 loop that `level` allows, then every further arithmetic.
std::vector<Loop> loops_of(Level level) {
  std::vector<Loop> loops;
  if (level >= Level::avx512) {
    loops.push_back({"fp32", Level::avx512, fma_loop_avx512, kOperationsAvx512, kRounds});
  } else if (level == Level::avx2) {
    loops.push_back({"fp32", Level::avx2, fma_loop_avx2, kOperationsAvx2, kRounds});
  } else {
    loops.push_back({"fp32", Level::scalar, fma_loop_scalar, kOperationsScalar, kRounds});
  }
  const Loop more[] = {
      {"int8", Level::avx512_vnni, fma_loop_avx512_vnni, kOperationsAvx512Vnni, kRounds},
      {"bf16", Level::avx512_bf16, fma_loop_avx512_bf16, kOperationsAvx512Bf16, kRounds},
      {"int8 tiles", Level::amx_int8, fma_loop_amx_int8, kOperationsAmxInt8, kTileRounds},
      {"bf16 tiles", Level::amx_bf16, fma_loop_amx_bf16, kOperationsAmxBf16, kTileRounds},
  };
  std::ranges::copy_if(more, std::back_inserter(loops), [&](const Loop& loop) { return loop.level <= level; });
  return loops;
}

// 1e9 operations per second on `threads` threads of the pool.
double arithmetic(const Loop& loop, int threads, ThreadPool& pool) {
  std::vector<double> sink(static_cast<size_t>(pool.size()));  // results must be used, or the loops vanish
  const Times times = repeat(kShortTries, kShortTries, 0, [&] {
    pool.run(threads, [&](WorkRange range) {
      for (int64_t i = range.begin; i < range.end; ++i)
        sink[static_cast<size_t>(range.thread)] += loop.run(loop.rounds);
    });
  });
  volatile double keep = sink[0];
  (void)keep;
  return static_cast<double>(threads) * static_cast<double>(loop.rounds * loop.operations) / times.best() * 1e-9;
}

double copy(int threads, std::vector<char>& from, std::vector<char>& to, ThreadPool& pool) {
  const int64_t part = kCopyBytes / threads;
  const Times times = repeat(kTries, kTries, 0, [&] {
    pool.run(threads, [&](WorkRange range) {
      const int64_t begin = range.begin * part;
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<size_t>((range.end - range.begin) * part));
    });
  });
  return 2 * static_cast<double>(part * threads) / times.best() * 1e-9;
}

}  // namespace

const ArithmeticRoof& Roof::of(Level level) const {
  for (const ArithmeticRoof& roof : arithmetic) {
    if (roof.level == level) return roof;
  }
  return arithmetic.front();
}

Roof measure_roof(Level level, ThreadPool& pool) {
  Roof roof;
  roof.threads = pool.size();
  std::vector<char> from(kCopyBytes, 1), to(kCopyBytes, 2);  // written: their pages are there
  roof.copy_one = copy(1, from, to, pool);
  roof.copy_all = pool.size() > 1 ? copy(pool.size(), from, to, pool) : roof.copy_one;
  for (const Loop& loop : loops_of(level)) {
    const double one = arithmetic(loop, 1, pool);
    roof.arithmetic.push_back(
        {loop.name, loop.level, one, pool.size() > 1 ? arithmetic(loop, pool.size(), pool) : one});
  }
  return roof;
}

Bound least_time(const Cost& cost, Level level, const Roof& roof) {
  const double compute = cost.flops / (roof.of(level).all * 1e9), memory = cost.bytes / (roof.copy_all * 1e9);
  return {std::max(compute, memory), memory > compute};
}

int64_t last_level_cache() {
  const long bytes = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return bytes > 0 ? bytes : 32ll << 20;
}

}  // namespace spinert::bench
