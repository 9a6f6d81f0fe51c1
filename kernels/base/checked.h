// checked.h - arithmetic on numbers that came from a file. Every size, count and offset read from a file goes through
// these before it is used; nothing multiplies or adds such numbers directly (docs/safety.md, rule 1 of the readers).
#pragma once

#include <concepts>
#include <optional>

namespace spinert {

// a + b, or nothing if the result does not fit into T.
template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_add(T a, T b) {
  T result;
  if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// a * b, or nothing if the result does not fit into T.
template <std::integral T>
[[nodiscard]] constexpr std::optional<T> checked_mul(T a, T b) {
  T result;
  if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
  return result;
}

// True if [offset, offset + length) lies inside [0, size).
template <std::unsigned_integral T>
[[nodiscard]] constexpr bool range_inside(T offset, T length, T size) {
  const auto end = checked_add(offset, length);
  return end && *end <= size;
}

}  // namespace spinert
