#include "kernels/base/compare.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace spinert {
namespace {

double element(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype) {
    case DType::f32: return double(tensor.f32()[i]);
    case DType::i32: return double(tensor.i32()[i]);
    case DType::u8: return double(tensor.as<uint8_t>()[i]);
    case DType::i8: return double(tensor.as<int8_t>()[i]);
    default: return std::numeric_limits<double>::quiet_NaN();
  }
}

std::string print(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general, 9).ptr;
  return std::string(buffer, end);
}

std::string coordinate(const Shape& shape, int64_t flat) {
  std::string text = "]";
  for (int i = shape.rank - 1; i >= 0; --i) {
    text = std::to_string(flat % shape[i]) + text;
    if (i > 0) text = "," + text;
    flat /= shape[i];
  }
  return "[" + text;
}

}  // namespace

std::string Comparison::describe(const Shape& shape) const {
  if (worst < 0) return std::to_string(compared) + " elements equal";
  return std::to_string(wrong) + " of " + std::to_string(compared) + " elements, " + (wrong > 0 ? "first" : "largest") +
         " at " + coordinate(shape, worst) + ": expected " + print(want) + ", got " + print(got) + ", difference " +
         print(std::abs(got - want)) + ", largest difference " + print(max_difference);
}

Comparison compare(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  Comparison result;
  const int64_t row = want.shape.rank == 0 || want.shape[0] == 0 ? want.elements() : want.elements() / want.shape[0];
  result.compared = want.shape.rank == 0 ? 1 : want.rows() * row;
  // Codes of u8 are rounded numbers: where the number before rounding may differ, the code may by one step more.
  const bool codes = want.dtype == DType::u8 && (tolerance.absolute > 0 || tolerance.relative > 0);
  const double absolute = codes ? tolerance.absolute / double(want.quantisation.scale) + 1 : tolerance.absolute;
  const bool exact = want.dtype != DType::f32 && !codes;
  for (int64_t i = 0; i < result.compared; ++i) {
    const double g = element(got, i), w = element(want, i);
    if (g == w || (std::isnan(g) && std::isnan(w))) continue;
    double difference = std::abs(g - w);
    if (std::isnan(difference)) difference = std::numeric_limits<double>::infinity();
    const bool within = !exact && difference <= absolute + tolerance.relative * std::abs(w) &&
                        difference < std::numeric_limits<double>::infinity();
    const bool first_wrong = !within && result.wrong == 0;
    if (!within) ++result.wrong;
    if (first_wrong || (result.wrong == 0 && difference > result.max_difference)) {
      result.worst = i;
      result.got = g;
      result.want = w;
    }
    result.max_difference = std::max(result.max_difference, difference);
  }
  return result;
}

}  // namespace spinert
