// filter.h - separable Gaussian filters over a slice.
#pragma once

#include "diagnosis/phantom/canvas.h"

namespace spinert::phantom {

// Weights of offsets 0, 1, 2, ...; the whole kernel sums to 1. sigma in pixels, 0 for none.
std::vector<float> gaussian_weights(double sigma);
// Pixels beyond an edge repeat it.
void filter_rows(std::vector<float>& values, int width, int height, const std::vector<float>& weights);
void filter_columns(std::vector<float>& values, int width, int height, const std::vector<float>& weights);

}  // namespace spinert::phantom
