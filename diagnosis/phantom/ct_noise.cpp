// ct_noise.cpp - white noise through the filter of a soft or sharp kernel.
#include "diagnosis/phantom/ct_noise.h"

#include <cmath>

#include "diagnosis/phantom/filter.h"

namespace spinert::phantom {

void add_noise(Canvas& canvas, Random& random) {
  // Low doses are rarer than good ones.
  const double dose = random.uniform(), sigma_hu = mix(5, 45, dose * dose);
  const double grain = random.between(0.25, 0.65), sigma = grain / canvas.spacing;
  std::vector<float> values;
  values.reserve(canvas.hu.size());
  for (size_t i = 0; i < canvas.hu.size(); ++i) values.push_back(static_cast<float>(random.normal()));
  const std::vector<float> weights = gaussian_weights(sigma);
  double squares = -square(static_cast<double>(weights[0]));
  for (const float w : weights) squares += 2 * square(static_cast<double>(w));
  filter_rows(values, canvas.width, canvas.height, weights);
  filter_columns(values, canvas.width, canvas.height, weights);
  // What the two filters left of the variance is squares^2.
  const auto scale = static_cast<float>(sigma_hu / squares);
  for (size_t i = 0; i < values.size(); ++i) canvas.hu[i] += scale * values[i];
}

}  // namespace spinert::phantom
