// softmax.inl - one row of softmax, host and device, the arithmetic that every backend repeats: portable_exp, sum in
// double from c = 0.
#pragma once

#include <cstdint>

#include "kernels/base/portable_exp.h"

namespace spinert {
namespace {

SPINERT_HOST_DEVICE void softmax_row(const float* x, float* y, int64_t channels) {
  // NaN wins the maximum, so that it reaches every exponential of the row.
  float largest = x[0];
  for (int64_t c = 1; c < channels; ++c) {
    if (x[c] > largest || x[c] != x[c]) largest = x[c];
  }
  double sum = 0;
  for (int64_t c = 0; c < channels; ++c) {
    y[c] = portable_exp(x[c] - largest);
    sum += double(y[c]);
  }
  for (int64_t c = 0; c < channels; ++c) y[c] = static_cast<float>(double(y[c]) / sum);
}

}  // namespace
}  // namespace spinert
