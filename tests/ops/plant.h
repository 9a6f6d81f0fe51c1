// plant.h - puts hostile values into the data of a case.
#pragma once

#include <limits>
#include <string>

#include "kernels/base/half.h"

namespace spinert::cases {

// "": nothing; nan: one NaN in seven values, beginning with the first; special: NaN, both infinities, both zeros and
// the largest and smallest float, spread so that they meet every lane; minus_inf: everything.
inline void plant(const Tensor& tensor, const std::string& what) {
  using Limits = std::numeric_limits<float>;
  constexpr float kSpecial[] = {Limits::quiet_NaN(), Limits::infinity(),  -Limits::infinity(), 0.0f, -0.0f,
                                Limits::max(),       Limits::denorm_min()};
  constexpr int64_t kPeriod = 7, kSpecials = 7;
  for (int64_t i = 0; i < tensor.elements() && !what.empty(); ++i) {
    if (what == "nan" && i % kPeriod == 0) store_from_f32(tensor, i, Limits::quiet_NaN());
    if (what == "special" && i % kPeriod == 0) store_from_f32(tensor, i, kSpecial[i / kPeriod % kSpecials]);
    if (what == "minus_inf") store_from_f32(tensor, i, -Limits::infinity());
  }
}

}  // namespace spinert::cases
