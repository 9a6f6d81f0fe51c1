// thread_pool.h - a fixed set of threads and a static partition of work.
//
// No work stealing: item i of n always goes to thread i * threads / n, so that a kernel whose items are independent
// gives the same bytes for every thread count. The calling thread takes part. Idle threads spin for a short time and
// then park in the kernel; an idle pool costs nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace spinert {

// Half-open range of work items of one thread.
struct WorkRange {
  int64_t begin, end;
  int thread;
};

class ThreadPool {
 public:
  // threads >= 1 counts the calling thread. Fewer start if the system refuses; size() tells.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls work(WorkRange) once per thread with that thread's share of [0, items); returns when all are done. Threads
  // whose share is empty are not called. Not reentrant; one caller at a time.
  // A plain function pointer travels to the workers: no allocation, and kernel files built for one instruction set
  // instantiate nothing with external linkage.
  template <class Work>
  void run(int64_t items, Work&& work) {
    using Callable = std::remove_reference_t<Work>;
    run_erased(
        items, [](void* context, WorkRange range) { (*static_cast<Callable*>(context))(range); },
        const_cast<void*>(static_cast<const void*>(&work)));
  }

 private:
  using Function = void (*)(void* context, WorkRange range);
  void run_erased(int64_t items, Function function, void* context);
  void worker(int index);

  std::vector<std::thread> workers_;
  Function function_ = nullptr;
  void* context_ = nullptr;
  int64_t items_ = 0;
  std::atomic<uint32_t> generation_{0};  // one step per run(); workers wait for it to change
  std::atomic<int> pending_{0};          // workers that have not finished this run
  std::atomic<bool> stop_{false};
};

// Threads this process may use: the affinity mask, capped by the CPU quota of its control group (v2). At least 1.
int usable_threads();

}  // namespace spinert
