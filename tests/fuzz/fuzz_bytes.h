// fuzz_bytes.h - numbers out of the bytes of a fuzz input, for targets that take structures. Where the bytes end,
// everything is zero.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

// Stops the run as a finding: what a target promises does not hold.
#define FUZZ_CHECK(condition)           \
  do {                                  \
    if (!(condition)) __builtin_trap(); \
  } while (false)

class FuzzBytes {
 public:
  FuzzBytes(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  template <class Number>
  Number take() {
    Number value{};
    const size_t count = std::min(sizeof value, left_);
    if (count > 0) std::memcpy(&value, data_, count);
    data_ += count;
    left_ -= count;
    return value;
  }
  int below(int n) { return take<uint8_t>() % n; }
  // A plain number most of the time, so that whole structures are sound often enough; any double sometimes.
  double real(double usual) {
    const uint8_t kind = take<uint8_t>();
    if (kind == 255) return take<double>();
    return usual + static_cast<double>(static_cast<int8_t>(kind)) / 1000;
  }
  size_t left() const { return left_; }

 private:
  const uint8_t* data_;
  size_t left_;
};
