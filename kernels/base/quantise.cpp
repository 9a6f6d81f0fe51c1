#include "kernels/base/quantise.h"

#include <algorithm>

#include "kernels/base/half.h"

namespace spinert {

void weight_steps(const float* weight, int64_t rows, int64_t out_c, float* steps) {
  std::fill(steps, steps + out_c, 0.0f);
  for (int64_t r = 0; r < rows; ++r, weight += out_c) {
    for (int64_t o = 0; o < out_c; ++o) steps[o] = std::max(steps[o], std::abs(weight[o]));
  }
  for (int64_t o = 0; o < out_c; ++o) steps[o] = weight_step(steps[o]);
}

PlainOperands::PlainOperands(const Tensor& x, const Tensor& weight) : x_(x), weight_(weight.f32()) {
  if (x.dtype != DType::u8) return;
  x_scale_ = double(x.quantisation.scale);
  const int64_t out_c = weight.shape.last(), rows = weight.elements() / out_c;
  steps_.resize(static_cast<size_t>(out_c));
  codes_.resize(static_cast<size_t>(weight.elements()));
  weight_steps(weight_, rows, out_c, steps_.data());
  for (size_t i = 0; i < codes_.size(); ++i) {
    codes_[i] = quantised_weight(weight_[i], steps_[i % static_cast<size_t>(out_c)]);
  }
}

double PlainOperands::value(int64_t i) const {
  if (x_.dtype != DType::u8) return double(load_as_f32(x_, i));
  return double(static_cast<int32_t>(x_.as<uint8_t>()[i]) - x_.quantisation.zero);
}

}  // namespace spinert
