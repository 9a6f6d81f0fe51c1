#include "kernels/base/epilogue.h"

#include <limits>

#include "kernels/base/half.h"

namespace spinert {

void visit_activation(Activation& activation, ParamVisitor& visitor) {
  static constexpr const char* kNames[] = {"none", "relu", "relu6", "sigmoid"};
  std::string name = activation_valid(activation) ? kNames[static_cast<unsigned>(activation)] : "invalid";
  visitor.field("activation", name);
  activation = Activation(255);
  for (unsigned i = 0; i < std::size(kNames); ++i) {
    if (name == kNames[i]) activation = static_cast<Activation>(i);
  }
}

double max_abs(const Tensor& tensor) {
  if (!tensor.data || !is_activation(tensor.dtype) || tensor.elements() == 0) return 0;
  const int64_t row = tensor.shape.rank == 0 ? 1 : tensor.elements() / tensor.shape[0];
  const int64_t n = tensor.rows() * row;
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::abs(load_as_f32(tensor, i)));
  return largest;
}

double dot_tolerance(double k, double max_a, double max_b) {
  return 2 * std::numeric_limits<float>::epsilon() * (k + 1) * max_a * max_b;
}

}  // namespace spinert
