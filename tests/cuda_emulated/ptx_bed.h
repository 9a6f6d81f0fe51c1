// ptx_bed.h - launches small kernels on the emulated card and reads their results; for the tests of single
// instructions.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/cuda.cuh"

namespace spinert {

class PtxBed : public testing::Test {
 protected:
  void SetUp() override { open(); }
  // A stream keeps its first error, so each planted mistake gets a card of its own.
  void open() {
    device_.reset();
    auto opened = CudaDevice::open(0);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    device_ = std::move(opened).value();
  }

  template <class T>
  T* upload(const std::vector<T>& values) {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
    auto memory = device_->allocate(bytes);
    EXPECT_TRUE(memory.ok());
    device_->stream().upload(memory.value(), values.data(), bytes);
    EXPECT_TRUE(device_->stream().synchronize().ok());  // `values` may end with this call
    return static_cast<T*>(memory.value());
  }
  template <class T>
  std::vector<T> download(const T* from, size_t count) {
    std::vector<T> values(count);
    device_->stream().download(values.data(), from, static_cast<int64_t>(count * sizeof(T)));
    EXPECT_TRUE(device_->stream().synchronize().ok());
    return values;
  }
  template <class... Parameters, class... Arguments>
  Status run(int threads, int64_t shared, void (*kernel)(Parameters...), const Arguments&... arguments) {
    RunContext context{};
    context.stream = &device_->stream();
    launch(context, {.block = threads, .shared = shared}, kernel, arguments...);
    return device_->stream().synchronize();
  }
  // Runs a kernel that makes a mistake: the launch fails and says the words.
  template <class... Parameters, class... Arguments>
  void expect_caught(const char* words, int threads, int64_t shared, void (*kernel)(Parameters...),
                     const Arguments&... arguments) {
    const Status status = run(threads, shared, kernel, arguments...);
    EXPECT_FALSE(status.ok()) << "not caught: " << words;
    EXPECT_NE(status.to_string().find(words), std::string::npos) << status.to_string();
    open();
  }

  // A mistake that only the race check finds, whose place the address sanitizer takes in its build.
  template <class... Parameters, class... Arguments>
  void expect_race(const char* words, int threads, int64_t shared, void (*kernel)(Parameters...),
                   const Arguments&... arguments) {
#if defined(__SANITIZE_ADDRESS__)
    std::printf("not run without the race check: %s, %d threads\n", words, threads);
    static_cast<void>(shared), static_cast<void>(kernel), (static_cast<void>(arguments), ...);
#else
    expect_caught(words, threads, shared, kernel, arguments...);
#endif
  }

  std::unique_ptr<CudaDevice> device_;
};

}  // namespace spinert
