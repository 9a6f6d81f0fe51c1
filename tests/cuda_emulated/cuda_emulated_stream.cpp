// Streams, events and recorded graphs of the emulated card, and the steps of a chain (kernels/base/chunks.h) on them.
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/base/chunks.h"
#include "kernels/base/emulation/emulated_device.h"
#include "kernels/base/emulation/fibers.h"

namespace spinert {
namespace {

class EmulatedStreams : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = CudaDevice::open(0);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    device_ = std::move(opened).value();
  }
  int32_t* integers(int64_t count) {
    auto memory = device_->allocate(count * 4);
    EXPECT_TRUE(memory.ok());
    device_->stream().fill(memory.value(), 0, count * 4);
    return static_cast<int32_t*>(memory.value());
  }
  CudaStream& stream() { return device_->stream(); }

  std::unique_ptr<CudaDevice> device_;
};

TEST_F(EmulatedStreams, HostMemoryIsReadWhenTheStreamComesToIt) {
  int32_t* const x = integers(1);
  int32_t source = 1, result = 0;
  stream().upload(x, &source, 4);
  source = 2;
  stream().download(&result, x, 4);
  EXPECT_EQ(result, 0);
  ASSERT_TRUE(stream().synchronize().ok());
  EXPECT_EQ(result, 2);
}

TEST_F(EmulatedStreams, EventsOrderTwoStreams) {
  int32_t* const x = integers(1);
  auto other = device_->create_stream();
  auto event = device_->create_event();
  ASSERT_TRUE(other.ok() && event.ok());
  const int32_t seven = 7;
  int32_t without = -1, with = -1;
  ASSERT_TRUE(stream().synchronize().ok());
  other.value()->upload(x, &seven, 4);
  other.value()->record(*event.value());
  stream().download(&without, x, 4);
  stream().wait(*event.value());
  stream().download(&with, x, 4);
  ASSERT_TRUE(stream().synchronize().ok());
  EXPECT_EQ(without, 0) << "nothing orders the streams before the wait";
  EXPECT_EQ(with, 7);
}

TEST_F(EmulatedStreams, AnEventIsWaitedForAloneOnTheHost) {
  int32_t* const x = integers(2);
  const int32_t one = 1;
  int32_t results[] = {0, 0};
  auto event = device_->create_event();
  stream().upload(x, &one, 4);
  stream().download(&results[0], x, 4);
  stream().record(*event.value());
  stream().download(&results[1], x, 4);
  ASSERT_TRUE(stream().synchronize(*event.value()).ok());
  EXPECT_EQ(results[0], 1);
  EXPECT_EQ(results[1], 0);
  ASSERT_TRUE(stream().synchronize().ok());
  EXPECT_EQ(results[1], 1);
}

TEST_F(EmulatedStreams, AGraphRunsAgainWithWhatTheHostHoldsThen) {
  int32_t* const x = integers(2);
  int32_t source = 1, result = 0;
  stream().begin_capture();
  stream().upload(x, &source, 4);
  const std::function<void()> lanes[] = {[&] { stream().copy(x + 1, x, 4); }, [] {}};
  stream().parallel(lanes);
  stream().download(&result, x + 1, 4);
  auto graph = stream().end_capture();
  ASSERT_TRUE(graph.ok()) << graph.status().to_string();
  ASSERT_TRUE(stream().synchronize().ok());
  EXPECT_EQ(result, 0) << "recording runs nothing";
  for (const int32_t value : {5, 6}) {
    source = value;
    stream().replay(*graph.value());
    ASSERT_TRUE(stream().synchronize().ok());
    EXPECT_EQ(result, value);
  }
}

// Lanes take turns, inside loops too: what one leaves in memory that another uses as well shows under some seed, and
// lanes with memory of their own never disturb each other.
TEST_F(EmulatedStreams, LanesThatShareMemoryAreFound) {
  enum { kZero, kValues, kMore = 3, kResults = 5, kTemporary = 7, kAll = 9 };
  const int32_t start[kAll] = {0, 1, 2, 1, 1};
  int32_t* const x = integers(kAll);
  for (const bool shared : {false, true}) {
    int32_t results[2] = {};
    const auto lane = [&](int i) {
      stream().repeat_while(x + kMore + i, [&, i] {
        int32_t* const temporary = x + kTemporary + (shared ? 0 : i);
        stream().copy(temporary, x + kValues + i, 4);
        stream().copy(x + kResults + i, temporary, 4);
        stream().copy(x + kMore + i, x + kZero, 4);
      });
    };
    const std::function<void()> lanes[] = {[&] { lane(0); }, [&] { lane(1); }};
    stream().begin_capture();
    stream().upload(x, start, sizeof start);
    stream().parallel(lanes);
    stream().download(results, x + kResults, sizeof results);
    auto graph = stream().end_capture();
    ASSERT_TRUE(graph.ok()) << graph.status().to_string();
    bool disturbed = false;
    for (uint64_t seed = 0; seed < 16; ++seed) {
      emulation::set_seed(seed);
      stream().replay(*graph.value());
      ASSERT_TRUE(stream().synchronize().ok());
      disturbed = disturbed || results[0] != 1 || results[1] != 2;
    }
    EXPECT_EQ(disturbed, shared);
  }
  emulation::set_seed(0);
}

// What CUDA refuses in a capture or a loop is refused here too.
TEST_F(EmulatedStreams, MisuseFailsTheStream) {
  int32_t* const x = integers(1);
  int32_t host = 0;
  const std::function<void(CudaStream&)> misuses[] = {
      [&](CudaStream& s) { s.repeat_while(x, [] {}); },
      [&](CudaStream& s) {
        s.begin_capture();
        s.repeat_while(x, [&] { s.upload(x, &host, 4); });
      },
      [&](CudaStream& s) {
        s.begin_capture();
        static_cast<void>(s.synchronize());
      },
      [&](CudaStream& s) {
        s.upload(&host, x, 4);
        static_cast<void>(s.synchronize());
      },
  };
  for (const auto& misuse : misuses) {
    auto own = device_->create_stream();
    ASSERT_TRUE(own.ok());
    misuse(*own.value());
    EXPECT_EQ(own.value()->status().id(), ErrorId::E_VERIFY);
    EXPECT_FALSE(own.value()->end_capture().ok());
  }
}

TEST_F(EmulatedStreams, ALoopThatNeverEndsIsFound) {
  int32_t* const more = integers(1);
  const int32_t one = 1;
  stream().upload(more, &one, 4);
  ASSERT_TRUE(stream().synchronize().ok());
  stream().begin_capture();
  stream().repeat_while(more, [] {});
  auto graph = stream().end_capture();
  ASSERT_TRUE(graph.ok());
  stream().replay(*graph.value());
  EXPECT_EQ(stream().synchronize().id(), ErrorId::E_VERIFY);
}

// Rows go through a small buffer chunk by chunk, each exactly once, for every count; what lies beyond stays.
TEST_F(EmulatedStreams, ChunksVisitEveryRowOnce) {
  constexpr int32_t kRows = 11, kWidth = 3;
  for (const int32_t chunk : {1, 4, 11, 16}) {
    int32_t *const total = integers(4), *const source = integers(kRows * kWidth),
                   *const small = integers(chunk * kWidth), *const target = integers(kRows * kWidth),
                   *const passes = integers(1);
    const ChunkState state{total, total + 1, total + 2, total + 3, kRows, chunk};
    std::vector<int32_t> numbers(kRows * kWidth), got(kRows * kWidth);
    std::iota(numbers.begin(), numbers.end(), 100);
    stream().upload(source, numbers.data(), kRows * kWidth * 4);
    ASSERT_TRUE(stream().synchronize().ok());
    stream().begin_capture();
    enqueue_chunks_begin(stream(), state);
    stream().repeat_while(state.more, [&] {
      enqueue_chunk_take(stream(), state, {{{source, small, kWidth * 4}}});
      emulation::enqueue(stream(), [=] { ++*passes; });
      enqueue_chunk_give(stream(), state, {{{small, target, kWidth * 4}}});
    });
    auto graph = stream().end_capture();
    ASSERT_TRUE(graph.ok()) << graph.status().to_string();
    for (const int32_t count : {0, 1, 3, 4, 5, 8, 11, 1000, -5}) {
      const int32_t rows = std::clamp(count, 0, kRows);
      int32_t ran = 0;
      stream().fill(target, 0xff, kRows * kWidth * 4);
      stream().fill(passes, 0, 4);
      stream().upload(total, &count, 4);
      stream().replay(*graph.value());
      stream().download(got.data(), target, kRows * kWidth * 4);
      stream().download(&ran, passes, 4);
      const Status status = stream().synchronize();
      ASSERT_TRUE(status.ok()) << status.to_string();
      EXPECT_EQ(ran, (rows + chunk - 1) / chunk);
      for (int32_t i = 0; i < kRows * kWidth; ++i) {
        EXPECT_EQ(got[static_cast<size_t>(i)], i < rows * kWidth ? 100 + i : -1) << count << " rows, chunk " << chunk;
      }
    }
  }
}

}  // namespace
}  // namespace spinert
