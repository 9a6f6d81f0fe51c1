// winograd.h - when a convolution is computed by Winograd F(4x4, 3x3) or F(2x2, 3x3), and the kernels' transforms.
//
//   Y = A^T [ (G g G^T) . (B^T d B) ] A          d: 6x6 input tile, g: 3x3 kernel, Y: 4x4 output tile; 4x4 and 2x2
//
// F(4x4): 36 multiplications instead of 144 for 16 outputs; the transformed kernel is 4 times as large. Interpolation
// points 0, 1, -1, 1/2, -2 and infinity: they give a relative L2 error of about 1.7e-6 on 256 channels, against 2.6e-6
// for 0, 1, -1, 2, -2 and 2.2e-7 for the direct sum.
// F(2x2): 16 instead of 36 for 4 outputs; 16/9 as large. Points 0, 1, -1 and infinity.
// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308; points after Barabasz
// et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for DNNs", arXiv 1803.10986.
#pragma once

#include "kernels/conv2d/conv2d.h"

namespace spinert {

// Sizes of the algorithm: tiles of kOut x kOut outputs from kIn x kIn inputs.
struct WinogradF4 {
  static constexpr int kOut = 4, kIn = 6;
};
struct WinogradF2 {
  static constexpr int kOut = 2, kIn = 4;
};

// G, the kernel transforms (kIn x 3), used in double. Neither inline nor members: objects of different levels share no
// symbol. The input and output transforms stand as sums in conv2d_winograd.inl.
constexpr double kWinogradG4[WinogradF4::kIn][3] = {
    {1, 0, 0},
    {1.0 / 3, 1.0 / 3, 1.0 / 3},
    {-1.0 / 3, 1.0 / 3, -1.0 / 3},
    {-16.0 / 15, -8.0 / 15, -4.0 / 15},
    {1.0 / 15, -2.0 / 15, 4.0 / 15},
    {0, 0, 1},
};
constexpr double kWinogradG2[WinogradF2::kIn][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};

// Null if this size of Winograd is the best algorithm for the call, else why not. At most one of the two takes a call.
// Pure functions of parameters, weight shape and the size of one image: never of the batch, so that a batch cannot
// change a result.
const char* winograd_f4_rejects(const OpCall& call);
const char* winograd_f2_rejects(const OpCall& call);

}  // namespace spinert
