// compare.h - element-by-element comparison of two tensors, the one used by the tests, the bench and `spinert verify`.
#pragma once

#include <string>

#include "kernels/base/kernel.h"

namespace spinert {

struct Comparison {
  int64_t compared = 0;
  int64_t wrong = 0;          // elements outside the tolerance
  double max_difference = 0;  // over all elements, NaN against a number counts as infinite
  int64_t worst = -1;         // flat position of the first wrong element, else of the largest difference
  double got = 0, want = 0;   // values there

  bool ok() const { return wrong == 0; }
  // "3 of 4096 elements, first at [0,1,2,3]: expected 1.5, got 2.25, difference 0.75"
  std::string describe(const Shape& shape) const;
};

// Compares the rows in use of want (its count decides). NaN equals NaN, an infinity equals itself. Integer types are
// compared exactly, floats by |got - want| <= absolute + relative * |want|; a NaN tolerance accepts nothing.
Comparison compare(const Tensor& got, const Tensor& want, const Tolerance& tolerance);

}  // namespace spinert
