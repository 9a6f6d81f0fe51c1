// value_copies.h - copies of values in host memory that tools read and write (Plan::value), in f32 where the value is
// of a half type. A copy is fresh while it holds what the value holds, or what the caller wrote over it.
#pragma once

#include <map>
#include <span>

#include "runtime/aligned_buffer.h"
#include "runtime/plan_impl.h"

namespace spinert {

class ValueCopies {
 public:
  struct Copy {
    AlignedBuffer memory;
    bool fresh = false;
  };
  // The copy of a value with room for `bytes`; made when asked for. Null if there is no memory.
  Copy* of(int number, int64_t bytes);
  // The copy of a value if it is fresh, else null.
  const Copy* fresh(int number) const;
  void forget(std::span<const int> numbers);
  void forget_all();

  // All elements of a tensor of a half type, to and from f32.
  static void widen(const Tensor& half, float* to);
  static void narrow(const float* from, const Tensor& half);

 private:
  std::map<int, Copy> copies_;
};

}  // namespace spinert
