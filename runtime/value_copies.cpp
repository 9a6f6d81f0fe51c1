#include "runtime/value_copies.h"

#include "kernels/base/half.h"

namespace spinert {

ValueCopies::Copy* ValueCopies::of(int number, int64_t bytes) {
  Copy& copy = copies_[number];
  if (!copy.memory.data()) {
    auto memory = AlignedBuffer::allocate(bytes);
    if (!memory.ok()) return nullptr;
    copy.memory = std::move(memory).value();
  }
  return &copy;
}

const ValueCopies::Copy* ValueCopies::fresh(int number) const {
  const auto it = copies_.find(number);
  return it != copies_.end() && it->second.fresh ? &it->second : nullptr;
}

void ValueCopies::forget(std::span<const int> numbers) {
  for (const int number : numbers) {
    if (const auto it = copies_.find(number); it != copies_.end()) it->second.fresh = false;
  }
}

void ValueCopies::forget_all() {
  for (auto& [number, copy] : copies_) copy.fresh = false;
}

void ValueCopies::widen(const Tensor& half, float* to) {
  for (int64_t i = 0; i < half.elements(); ++i) to[i] = load_as_f32(half, i);
}

void ValueCopies::narrow(const float* from, const Tensor& half) {
  for (int64_t i = 0; i < half.elements(); ++i) store_from_f32(half, i, from[i]);
}

}  // namespace spinert
