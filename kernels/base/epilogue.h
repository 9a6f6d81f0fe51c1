// epilogue.h - what conv2d, conv2d_stem and linear do with a finished sum before it is stored.
#pragma once

#include <cmath>
#include <string>

#include "kernels/base/kernel.h"
#include "kernels/base/portable_exp.h"

namespace spinert {

enum class Activation : unsigned char { none, relu, relu6, sigmoid };

// Reads and writes an activation by name. An unknown name becomes Activation(255), which activation_valid refuses.
void visit_activation(Activation& activation, ParamVisitor& visitor);
inline bool activation_valid(Activation a) {
  return a <= Activation::sigmoid;
}

// The definition of each activation. Written so that NaN stays NaN: a comparison with NaN is false and x is returned.
template <class T>
SPINERT_HOST_DEVICE T activate(Activation activation, T x) {
  switch (activation) {
    case Activation::none: break;
    case Activation::relu: return x < T(0) ? T(0) : x;
    case Activation::relu6: return x < T(0) ? T(0) : (x > T(6) ? T(6) : x);
    case Activation::sigmoid:
      if constexpr (sizeof(T) == sizeof(float)) {
        return portable_sigmoid(x);
      } else {
        return T(1) / (T(1) + std::exp(-x));
      }
  }
  return x;
}

// Largest |x| of an activation's rows in use; 0 for an absent one. For tolerances.
double max_abs(const Tensor& tensor);

// Error bound of a dot product of length k over a and b summed in any order in float, against double:
// each of k + 1 roundings is at most eps/2 of a partial sum; partial sums are bounded in practice by a few max|a|
// max|b| sqrt(k). 2 eps (k + 1) max|a| max|b| stays far below one dropped term for k < 1e5, so that a wrong kernel is
// caught.
double dot_tolerance(double k, double max_a, double max_b);

}  // namespace spinert
