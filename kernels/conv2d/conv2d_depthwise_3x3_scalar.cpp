// conv2d_depthwise_3x3_scalar.cpp - backend cpu, level scalar: depthwise 3x3 conv2d, conv2d_depthwise.inl over
// SimdScalar Layout   x and y NHWC f32 or bf16, any C; weight as it is, [3][3][1][C] f32 Tile     4 output pixels of a
// row x 1 vector of 1 channels: 4 sums, 3 weights, 1 input; threads over output rows Work     per tile of stride 1 36
// FMA, 18 loads of x, 9 of the weight; of stride 2 36, 27 and 9 Bound    memory: x and y once. 144 channels at 256x256
// in f32: 76 MB Measured Xeon VM with 2 cores, shared with other work (load 20), 1 thread, 2026-11-28, `spinert bench
// --case
//          "conv2d h=256 c=144 o=144 groups=144 k=3 padding=1 activation=relu6 data=real" --threads 1`:
//          166.9 ms; conv2d_direct_scalar 1679 ms in another minute
// Rejects  groups != C or != O; kernel other than 3x3; dilation; stride above 2
// Numerics one chain per output in the order of taps, two roundings a tap; taps outside left out; same bytes for every
// thread count Tried    8 pixels in a tile: no difference that the busy machine could show
#include <algorithm>

#include "kernels/conv2d/conv2d_depthwise.inl"

namespace spinert {
namespace {

constexpr int kPixels = 4;

}  // namespace

extern const Kernel conv2d_depthwise_3x3_scalar;
const Kernel conv2d_depthwise_3x3_scalar = {
    .rejects = depthwise_rejects, .run = depthwise_run<SimdScalar, kPixels>, .also_takes = kTakesBf16};

}  // namespace spinert
