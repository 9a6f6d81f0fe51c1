// The thread pool: every item exactly once and always on the same thread, for any number of items and threads; results
// of the workers are visible after run(); pools that never run, run once or run often end cleanly.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "kernels/base/thread_pool.h"

namespace spinert {
namespace {

TEST(ThreadPool, EveryItemOnceInOrderOfThreads) {
  for (const int threads : {1, 2, 3, 7, 16}) {
    ThreadPool pool(threads);
    ASSERT_EQ(pool.size(), threads);
    for (const int64_t items : {int64_t{0}, int64_t{1}, int64_t{2}, int64_t{5}, int64_t{16}, int64_t{1000}}) {
      // Plain integers: the sanitizer for threads would report two writers of one item.
      std::vector<int> visits(static_cast<size_t>(items), 0), owner(static_cast<size_t>(items), -1);
      pool.run(items, [&](WorkRange range) {
        EXPECT_LT(range.begin, range.end) << "a thread without items is not called";
        EXPECT_GE(range.thread, 0);
        EXPECT_LT(range.thread, pool.size());
        for (int64_t i = range.begin; i < range.end; ++i) {
          ++visits[static_cast<size_t>(i)];
          owner[static_cast<size_t>(i)] = range.thread;
        }
      });
      for (int64_t i = 0; i < items; ++i) {
        EXPECT_EQ(visits[static_cast<size_t>(i)], 1) << items << " items, " << threads << " threads";
        if (i == 0) continue;
        EXPECT_GE(owner[static_cast<size_t>(i)], owner[static_cast<size_t>(i - 1)]);
      }
    }
  }
}

TEST(ThreadPool, TheShareOfAThreadNeverChanges) {
  ThreadPool pool(3);
  std::vector<std::thread::id> first(30), again(30);
  for (auto* ids : {&first, &again}) {
    pool.run(30, [&](WorkRange range) {
      for (int64_t i = range.begin; i < range.end; ++i) (*ids)[static_cast<size_t>(i)] = std::this_thread::get_id();
    });
  }
  EXPECT_EQ(first, again);
  EXPECT_EQ(first[0], std::this_thread::get_id()) << "the caller takes the first share";
}

// Each run reads what the run before wrote on other threads, without any synchronisation of its own.
TEST(ThreadPool, RunsAreOrdered) {
  constexpr size_t kItems = 64;
  for (const int threads : {2, 5}) {
    ThreadPool pool(threads);
    std::vector<int64_t> a(kItems, 1), b(kItems, 0);
    for (int round = 0; round < 2000; ++round) {
      pool.run(kItems, [&](WorkRange range) {
        for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
          b[i] = a[kItems - 1 - i] + 1;
        }
      });
      a.swap(b);
    }
    for (const int64_t value : a) ASSERT_EQ(value, 2001);
  }
}

// Long enough between runs that the workers park and must be woken.
TEST(ThreadPool, WakesParkedWorkers) {
  ThreadPool pool(4);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int> calls{0};
    pool.run(4, [&](WorkRange) { ++calls; });
    EXPECT_EQ(calls.load(), 4);
  }
}

TEST(ThreadPool, EndsAtOnceAtAnyMoment) {
  for (int round = 0; round < 200; ++round) {
    ThreadPool pool(3);
    if (round % 3 == 0) continue;  // never ran
    int64_t sum = 0;
    pool.run(1, [&](WorkRange range) { sum += range.end; });  // on the caller
    if (round % 3 == 1) pool.run(3, [](WorkRange) {});
    EXPECT_EQ(sum, 1);
  }
}

TEST(ThreadPool, PoolsRunSideBySide) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> total{0};
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([&] {
      ThreadPool pool(3);
      for (int round = 0; round < 200; ++round) {
        pool.run(50, [&](WorkRange range) { total += range.end - range.begin; });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 3 * 200 * 50);
}

TEST(ThreadPool, SaysHowManyThreadsItMayUse) {
  EXPECT_GE(usable_threads(), 1);
}

}  // namespace
}  // namespace spinert
