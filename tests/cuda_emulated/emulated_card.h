// emulated_card.h - an emulated card with vectors in its memory, for tests that define kernels of their own.
#pragma once

#include <string>
#include <vector>

#include "kernels/base/cuda_device.h"
#include "kernels/base/emulation/emulated_device.h"

namespace spinert {

struct EmulatedCard {
  std::unique_ptr<CudaDevice> device = CudaDevice::open(0).value();
  RunContext context{.stream = &device->stream()};

  template <class T>
  T* put(const std::vector<T>& values) {
    const auto bytes = static_cast<int64_t>(values.size() * sizeof(T));
    void* memory = device->allocate(bytes).value();
    device->stream().upload(memory, values.data(), bytes);
    (void)status();
    return static_cast<T*>(memory);
  }
  template <class T>
  std::vector<T> get(const T* memory, size_t count) {
    std::vector<T> values(count);
    device->stream().download(values.data(), memory, static_cast<int64_t>(count * sizeof(T)));
    (void)status();
    return values;
  }
  Status status() { return device->stream().synchronize(); }
  // The launch was stopped for a mistake in the kernel, and the error says so.
  bool found(const std::string& text) {
    return status().id() == ErrorId::E_VERIFY && status().message().find(text) != std::string::npos;
  }
};

}  // namespace spinert
