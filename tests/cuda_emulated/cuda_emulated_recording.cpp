// Recorded work on the card that the program was linked for: the emulation, or a real one in cuda_card_ops. Nothing
// here reads memory of the card from the host, so that the same file proves the loops, lanes and early launches of
// both.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "kernels/base/chunks.h"
#include "kernels/count_above/count_above.h"
#include "kernels/registry.h"

namespace spinert {
namespace {

constexpr int32_t kRows = 11, kWidth = 3, kChunk = 4, kNumbers = kRows * kWidth;

class RecordedWork : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = CudaDevice::open(0);
    if (!opened.ok()) GTEST_SKIP() << opened.status().to_string();
    device_ = std::move(opened).value();
    device_->stream().dependent_launch = true;
  }
  template <class T = int32_t>
  T* on_card(int64_t count) {
    auto memory = device_->allocate(count * 4);
    EXPECT_TRUE(memory.ok()) << memory.status().to_string();
    device_->stream().fill(memory.value(), 0, count * 4);
    return static_cast<T*>(memory.value());
  }
  int32_t* pinned(int64_t count) {
    auto memory = device_->allocate_pinned(count * 4);
    EXPECT_TRUE(memory.ok()) << memory.status().to_string();
    return static_cast<int32_t*>(memory.value());
  }

  std::unique_ptr<CudaDevice> device_;
};

// A loop with lanes and with kernels that may start early in its body, replayed for many counts: the condition is new
// in every replay. Several replays are enqueued before the host waits for the first.
TEST_F(RecordedWork, ALoopWithLanesRunsAsOftenAsTheCardSays) {
  CudaStream& stream = device_->stream();
  int32_t *const total = on_card(4), *const source = on_card(kNumbers), *const small = on_card(kChunk * kWidth),
                 *const left = on_card(kChunk * kWidth), *const right = on_card(kChunk * kWidth),
                 *const targets = on_card(2 * kNumbers), *const counted = on_card(2);
  const ChunkState state{total, total + 1, total + 2, total + 3, kRows, kChunk};
  std::vector<int32_t> numbers(kNumbers);
  std::iota(numbers.begin(), numbers.end(), 100);
  stream.upload(source, numbers.data(), kNumbers * 4);
  const std::vector<float> falling = {0.9f, 0.8f, 0.7f, 0.2f, 0.1f};
  float* const scores = on_card<float>(5);
  stream.upload(scores, falling.data(), 20);
  ASSERT_TRUE(stream.synchronize().ok());

  const CountAboveParams threshold{.threshold = 0.5};
  Tensor in, out;
  in.data = scores;
  in.shape = {5};
  out.dtype = DType::i32;
  out.shape = {1};
  const auto count_into = [&](int32_t* to) {
    out.data = to;
    const OpCall call{&threshold, {&in, 1}, {&out, 1}};
    const KernelInfo* const kernel = choose_kernel(OpId::count_above, Backend::cuda, device_->card().level(), call);
    ASSERT_NE(kernel, nullptr);
    kernel->kernel->run(call, {.stream = &stream});
  };
  constexpr int64_t kBytes = kChunk * kWidth * 4;
  const std::function<void()> lanes[] = {[&] {
                                           stream.copy(left, small, kBytes);
                                           count_into(counted);
                                           count_into(counted + 1);
                                         },
                                         [&] { stream.copy(right, small, kBytes); }};
  stream.begin_capture();
  enqueue_chunks_begin(stream, state);
  stream.repeat_while(state.more, [&] {
    enqueue_chunk_take(stream, state, {{{source, small, kWidth * 4}}});
    stream.parallel(lanes);
    enqueue_chunk_give(stream, state, {{{left, targets, kWidth * 4}, {right, targets + kNumbers, kWidth * 4}}});
  });
  auto graph = stream.end_capture();
  ASSERT_TRUE(graph.ok()) << graph.status().to_string();

  const std::vector<int32_t> counts = {0, 1, 3, 4, 5, 8, 11, 1000, -5, 0, 11};
  const auto runs = static_cast<int64_t>(counts.size());
  constexpr int64_t kOfRun = 2 * kNumbers + 3;  // both targets, the next row, both counts
  int32_t *const given = pinned(runs), *const got = pinned(runs * kOfRun);
  for (int64_t run = 0; run < runs; ++run) {
    given[run] = counts[static_cast<size_t>(run)];
    int32_t* const results = got + run * kOfRun;
    stream.fill(targets, 0xff, 2 * kNumbers * 4);
    stream.fill(counted, 0, 8);
    stream.upload(total, given + run, 4);
    stream.replay(*graph.value());
    stream.download(results, targets, 2 * kNumbers * 4);
    stream.download(results + 2 * kNumbers, state.next, 4);
    stream.download(results + 2 * kNumbers + 1, counted, 8);
  }
  const Status status = stream.synchronize();
  ASSERT_TRUE(status.ok()) << status.to_string();
  for (int64_t run = 0; run < runs; ++run) {
    const int32_t rows = std::clamp(given[run], 0, kRows);
    const int32_t* const results = got + run * kOfRun;
    for (int32_t i = 0; i < 2 * kNumbers; ++i) {
      EXPECT_EQ(results[i], i % kNumbers < rows * kWidth ? 100 + i % kNumbers : -1) << given[run] << " rows, " << i;
    }
    EXPECT_EQ(results[2 * kNumbers], rows);
    for (const int i : {1, 2}) EXPECT_EQ(results[2 * kNumbers + i], rows > 0 ? 3 : 0) << given[run] << " rows";
  }
}

// A recorded upload and download take what lies in pinned memory at each replay; another stream's work comes first.
TEST_F(RecordedWork, AReplayWaitsForTheOtherStream) {
  CudaStream& stream = device_->stream();
  auto other = device_->create_stream();
  auto event = device_->create_event();
  ASSERT_TRUE(other.ok() && event.ok());
  int32_t *const x = on_card(2), *const from = pinned(1), *const to = pinned(1);
  ASSERT_TRUE(stream.synchronize().ok());
  stream.begin_capture();
  stream.copy(x + 1, x, 4);
  stream.download(to, x + 1, 4);
  auto graph = stream.end_capture();
  ASSERT_TRUE(graph.ok()) << graph.status().to_string();
  for (const int32_t value : {5, 6, 7}) {
    *from = value;
    other.value()->upload(x, from, 4);
    other.value()->record(*event.value());
    stream.wait(*event.value());
    stream.replay(*graph.value());
    ASSERT_TRUE(stream.synchronize().ok());
    EXPECT_EQ(*to, value);
  }
}

}  // namespace
}  // namespace spinert
