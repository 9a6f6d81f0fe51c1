// winograd.h - when a convolution is computed by Winograd F(4x4, 3x3), and the transforms' constants.
//
//   Y = A^T [ (G g G^T) . (B^T d B) ] A          d: 6x6 input tile, g: 3x3 kernel, Y: 4x4 output tile
//
// 36 multiplications instead of 144 for 16 outputs. Interpolation points 0, 1, -1, 1/2, -2 and infinity: they give a
// relative L2 error of about 1.7e-6 on 256 channels, against 2.6e-6 for 0, 1, -1, 2, -2 and 2.2e-7 for the direct sum.
// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308; points after Barabasz
// et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for DNNs", arXiv 1803.10986.
#pragma once

#include "kernels/conv2d/conv2d.h"

namespace spinert {

inline constexpr int kWinogradOut = 4, kWinogradIn = 6, kWinogradPoints = kWinogradIn * kWinogradIn;

// G, the kernel transform (6 x 3), used in double. Not inline: objects of different levels share no symbol. The input
// and output transforms stand as sums in conv2d_winograd.inl.
constexpr double kWinogradG[kWinogradIn][3] = {
    {1, 0, 0},
    {1.0 / 3, 1.0 / 3, 1.0 / 3},
    {-1.0 / 3, 1.0 / 3, -1.0 / 3},
    {-16.0 / 15, -8.0 / 15, -4.0 / 15},
    {1.0 / 15, -2.0 / 15, 4.0 / 15},
    {0, 0, 1},
};

// Null if Winograd is the better algorithm for this call, else why not. A pure function of parameters, weight shape and
// the size of one image: never of the batch, so that a batch cannot change a result.
const char* winograd_rejects(const OpCall& call);

}  // namespace spinert
