// conv2d_depthwise_3x3_avx512.cpp - backend cpu, level avx512: conv2d_depthwise.inl over SimdAvx512
#include <algorithm>

#include "kernels/conv2d/conv2d_depthwise.inl"

namespace spinert {
namespace {

constexpr int kPixels = 4;

}  // namespace

extern const Kernel conv2d_depthwise_3x3_avx512;
const Kernel conv2d_depthwise_3x3_avx512 = {
    .rejects = depthwise_rejects, .run = depthwise_run<SimdAvx512, kPixels>, .also_takes = kTakesBf16};

}  // namespace spinert
