// normalise.h - grey picture to the network's input: grey replicated to C channels, each with its mean and deviation.
//
//   y[n,y,x,c] = (grey[n,y,x] / 255 - mean[c]) / std[c]
//
// Inputs   0 grey  f32 [N,H,W,1], 0 to 255, not necessarily whole numbers
// Output   0 y     f32 [N,H,W,C], C = number of means
// Edges    N, H, W = 0 are allowed; NaN and Inf spread.
// Rows     follows the row count of grey.
// Errors   E_MODEL_ARCH: no or more than 16 channels, means and deviations of different number, std not above 0.
// Source   torchvision.transforms.functional.to_tensor and normalize
#pragma once

#include "kernels/base/kernel.h"

namespace spinert {

struct NormaliseParams {
  std::vector<double> mean;
  std::vector<double> std;
};

void visit(NormaliseParams& params, ParamVisitor& visitor);
Status normalise_infer(const NormaliseParams& params, std::span<const TensorType> in, std::span<TensorType> out);
Cost normalise_cost(const OpCall& call);
Tolerance normalise_tolerance(const OpCall& call);

}  // namespace spinert
