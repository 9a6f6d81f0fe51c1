// ptx_on_card.h - what the checks of single instructions on a real card share: memory, launches, one line per wrapper.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/base/cuda.cuh"
#include "kernels/base/emulation/ptx_model.h"

namespace spinert::on_card {

class Bench {
 public:
  explicit Bench(CudaDevice& device) : device_(device) {}

  int differences() const { return differences_; }
  std::mt19937& random() { return random_; }
  const CudaCard& card() const { return device_.card(); }

  template <class T>
  T* upload(const std::vector<T>& values) {
    auto memory = device_.allocate(static_cast<int64_t>(values.size() * sizeof(T)));
    if (!memory.ok()) {
      std::printf("%s\n", memory.status().to_string().c_str());
      std::exit(exit_code(memory.status().id()));
    }
    device_.stream().upload(memory.value(), values.data(), static_cast<int64_t>(values.size() * sizeof(T)));
    stop_on_error();
    return static_cast<T*>(memory.value());
  }
  template <class T>
  std::vector<T> download(const T* from, size_t count) {
    std::vector<T> values(count);
    device_.stream().download(values.data(), from, static_cast<int64_t>(count * sizeof(T)));
    stop_on_error();
    return values;
  }
  template <class... Parameters, class... Arguments>
  void run(int threads, int64_t shared, void (*kernel)(Parameters...), const Arguments&... arguments) {
    RunContext context{};
    context.stream = &device_.stream();
    launch(context, {.block = threads, .shared = shared}, kernel, arguments...);
    stop_on_error();
  }

  // Bit for bit.
  template <class T>
  void equal(const std::string& name, const std::vector<T>& card, const std::vector<T>& model) {
    size_t wrong = 0, first = 0;
    for (size_t i = card.size(); i-- > 0;) {
      if (std::memcmp(&card[i], &model[i], sizeof(T)) == 0) continue;
      ++wrong;
      first = i;
    }
    print(name, card.size(), wrong, first);
  }
  // Sums of at most `terms` products of numbers below 1 in absolute value; the card adds in an order of its own and may
  // cut low bits of what it aligns, so each term may be off by a few units of the largest sum.
  void close(const std::string& name, const std::vector<float>& card, const std::vector<float>& model, int terms) {
    const float tolerance = static_cast<float>(terms) * static_cast<float>(terms) * 0x1p-22f;
    size_t wrong = 0, first = 0;
    for (size_t i = card.size(); i-- > 0;) {
      if (std::fabs(card[i] - model[i]) <= tolerance) continue;
      ++wrong;
      first = i;
    }
    print(name, card.size(), wrong, first);
  }

 private:
  void print(const std::string& name, size_t count, size_t wrong, size_t first) {
    if (wrong == 0) {
      std::printf("%-44s equal       %zu values\n", name.c_str(), count);
    } else {
      std::printf("%-44s DIFFERENT   %zu of %zu values, the first at %zu\n", name.c_str(), wrong, count, first);
      ++differences_;
    }
  }
  // A card that reported an error answers nothing more.
  void stop_on_error() {
    const Status status = device_.stream().synchronize();
    if (status.ok()) return;
    std::printf("%s\n", status.to_string().c_str());
    std::exit(exit_code(status.id()));
  }

  CudaDevice& device_;
  std::mt19937 random_{20240607};
  int differences_ = 0;
};

// Operands for products: small integers, whose sums every order gets right, or numbers below 1.
template <class T>
std::vector<T> operands(Bench& bench, size_t count, bool integers) {
  std::vector<T> values(count);
  for (T& value : values) {
    const float number = integers ? static_cast<float>(static_cast<int>(bench.random()() % 17) - 8)
                                  : static_cast<float>(static_cast<int>(bench.random()() % 2001) - 1000) / 1001.0f;
    if constexpr (std::is_same_v<T, f16>) {
      value = {f32_to_f16(number)};
    } else if constexpr (std::is_same_v<T, bf16>) {
      value = {f32_to_bf16(number)};
    } else {
      value = number;
    }
  }
  return values;
}

void check_sm90a(Bench& bench);

}  // namespace spinert::on_card
