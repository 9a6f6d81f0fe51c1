// conv2d_depthwise_3x3_avx2.cpp - backend cpu, level avx2: conv2d_depthwise.inl over SimdAvx2
#include <algorithm>

#include "kernels/conv2d/conv2d_depthwise.inl"

namespace spinert {
namespace {

constexpr int kPixels = 4;

}  // namespace

extern const Kernel conv2d_depthwise_3x3_avx2;
const Kernel conv2d_depthwise_3x3_avx2 = {
    .rejects = depthwise_rejects, .run = depthwise_run<SimdAvx2, kPixels>, .also_takes = kTakesBf16};

}  // namespace spinert
