// filter.cpp - each output is summed in the order of the offsets, so vectors of any width give the same bits.
#include "diagnosis/phantom/filter.h"

namespace spinert::phantom {

std::vector<float> gaussian_weights(double sigma) {
  std::vector<double> weights{1};
  constexpr double kReach = 3;  // sigmas
  for (int i = 1; i <= kReach * sigma; ++i) weights.push_back(bell(i / sigma));
  double sum = -weights[0];
  for (const double w : weights) sum += 2 * w;
  std::vector<float> out;
  for (const double w : weights) out.push_back(static_cast<float>(w / sum));
  return out;
}

void filter_rows(std::vector<float>& values, int width, int height, const std::vector<float>& weights) {
  const int reach = static_cast<int>(weights.size()) - 1;
  if (reach == 0) return;
  std::vector<float> line(static_cast<size_t>(width + 2 * reach));
  for (int y = 0; y < height; ++y) {
    float* row = values.data() + static_cast<size_t>(y) * static_cast<size_t>(width);
    for (int x = -reach; x < width + reach; ++x)
      line[static_cast<size_t>(x + reach)] = row[std::clamp(x, 0, width - 1)];
    const float* middle = line.data() + reach;
    for (int x = 0; x < width; ++x) row[x] = weights[0] * middle[x];
    for (int k = 1; k <= reach; ++k) {
      const float w = weights[static_cast<size_t>(k)];
      for (int x = 0; x < width; ++x) row[x] += w * (middle[x - k] + middle[x + k]);
    }
  }
}

void filter_columns(std::vector<float>& values, int width, int height, const std::vector<float>& weights) {
  const int reach = static_cast<int>(weights.size()) - 1;
  if (reach == 0) return;
  const std::vector<float> source = values;
  const auto row_of = [&](int y) {
    return source.data() + static_cast<size_t>(std::clamp(y, 0, height - 1)) * static_cast<size_t>(width);
  };
  for (int y = 0; y < height; ++y) {
    float* row = values.data() + static_cast<size_t>(y) * static_cast<size_t>(width);
    const float* own = row_of(y);
    for (int x = 0; x < width; ++x) row[x] = weights[0] * own[x];
    for (int k = 1; k <= reach; ++k) {
      const float w = weights[static_cast<size_t>(k)];
      const float *above = row_of(y - k), *below = row_of(y + k);
      for (int x = 0; x < width; ++x) row[x] += w * (above[x] + below[x]);
    }
  }
}

}  // namespace spinert::phantom
