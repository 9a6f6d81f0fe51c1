#include "bench/kernel_timer.h"

#ifdef SPINERT_HAS_BENCHMARK
#include <benchmark/benchmark.h>
#endif

namespace spinert::bench {

#ifdef SPINERT_HAS_BENCHMARK
namespace {

constexpr int kRepetitions = 9;
constexpr double kSeconds = 0.02;  // of one repetition at least

// Keeps the time of every repetition; prints nothing.
class Collector : public benchmark::BenchmarkReporter {
 public:
  explicit Collector(size_t count) : times(count) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.iterations == 0) continue;
      times[static_cast<size_t>(run.family_index)].seconds.push_back(run.real_accumulated_time /
                                                                     static_cast<double>(run.iterations));
    }
  }
  std::vector<Times> times;
};

void set_up_once() {
  static const bool done = [] {
    std::string words[] = {"bench", "--benchmark_enable_random_interleaving=true"};
    char* argv[] = {words[0].data(), words[1].data(), nullptr};
    int argc = 2;
    benchmark::Initialize(&argc, argv);
    return true;
  }();
  (void)done;
}

}  // namespace

Result<std::vector<Times>> time_interleaved(const std::vector<TimedWork>& work) {
  set_up_once();
  for (const TimedWork& one : work) {
    benchmark::RegisterBenchmark(one.name.c_str(),
                                 [&one](benchmark::State& state) {
                                   for ([[maybe_unused]] auto turn : state) one.run();
                                 })
        ->Repetitions(kRepetitions)
        ->MinTime(kSeconds)
        ->UseRealTime();
  }
  Collector collector(work.size());
  benchmark::RunSpecifiedBenchmarks(&collector, ".");
  benchmark::ClearRegisteredBenchmarks();
  for (const Times& times : collector.times) {
    if (times.seconds.empty()) return error(ErrorId::E_INTERNAL, "GoogleBenchmark gave no time", "bench");
  }
  return std::move(collector.times);
}
#else
Result<std::vector<Times>> time_interleaved(const std::vector<TimedWork>&) {
  return error(ErrorId::E_USAGE, "this build has no timer for single kernels", "bench")
      .hint("Install GoogleBenchmark (Debian: libbenchmark-dev) and build again with SPINERT_BENCHMARK=ON.");
}
#endif

}  // namespace spinert::bench
