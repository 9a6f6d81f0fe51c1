#include "kernels/base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <system_error>

namespace spinert {
namespace {

// Long enough to bridge the gap between two layers, short enough that an idle engine leaves the core alone.
constexpr auto kSpin = std::chrono::microseconds(50);

void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// Waits until value != old: spins for kSpin, then parks.
template <class T>
void wait_change(const std::atomic<T>& value, T old) {
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  while (value.load(std::memory_order_acquire) == old) {
    if (std::chrono::steady_clock::now() >= deadline) {
      value.wait(old, std::memory_order_acquire);
      continue;
    }
    for (int i = 0; i < 32; ++i) pause_cpu();
  }
}

WorkRange share(int64_t items, int threads, int thread) {
  return {items * thread / threads, items * (thread + 1) / threads, thread};
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  for (int i = 1; i < threads; ++i) {
    try {
      workers_.emplace_back([this, i] { worker(i); });
    } catch (const std::system_error&) {
      break;  // the system's limit: run with what there is, size() tells
    }
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  for (auto& thread : workers_) thread.join();
}

void ThreadPool::run_erased(int64_t items, Function function, void* context) {
  if (items <= 0) return;
  if (workers_.empty() || items == 1) {
    function(context, {0, items, 0});
    return;
  }
  function_ = function;
  context_ = context;
  items_ = items;
  pending_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
  const WorkRange mine = share(items, size(), 0);
  if (mine.begin < mine.end) function(context, mine);
  for (int left = pending_.load(std::memory_order_acquire); left != 0;
       left = pending_.load(std::memory_order_acquire)) {
    wait_change(pending_, left);
  }
}

void ThreadPool::worker(int index) {
  uint32_t seen = 0;
  for (;;) {
    wait_change(generation_, seen);
    // One step at a time: run() never starts the next generation before every worker has finished this one.
    ++seen;
    if (stop_.load(std::memory_order_acquire)) return;
    const WorkRange range = share(items_, size(), index);
    if (range.begin < range.end) function_(context_, range);
    pending_.fetch_sub(1, std::memory_order_release);
    pending_.notify_one();
  }
}

int usable_threads() {
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) threads = CPU_COUNT(&mask);
  // cpu.max holds "<quota> <period>" in microseconds, or "max <period>".
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  int64_t quota = 0, period = 0;  // reading "max" fails and leaves the affinity mask in charge
  if (file >> quota >> period && quota > 0 && period > 0) {
    threads = static_cast<int>(std::min<int64_t>(threads, std::max<int64_t>(1, quota / period)));
  }
  return std::max(1, threads);
}

}  // namespace spinert
