// max_pool2d_codes_avx512.cpp - backend cpu, level avx512: max_pool2d of u8 codes
// Layout   x and y NHWC u8 of one scale and zero
// Tile     one output pixel, its channels by the compiler's vectors of bytes
// Work     kernel_h * kernel_w comparisons of codes per output: a code is the larger where its number is
// Bound    bytes: a quarter of those of f32
// Measured not on an idle machine
// Rejects  see max_pool2d_codes_rejects
// Numerics exact; taps outside the image are passed over
// Tried    nothing else so far; int8 is not a documented choice (docs/PERFORMANCE.md)
#include "kernels/max_pool2d/max_pool2d_codes.inl"

namespace spinert {

extern const Kernel max_pool2d_codes_avx512;
const Kernel max_pool2d_codes_avx512 = {
    .rejects = max_pool2d_codes_rejects, .run = max_pool2d_codes_run, .also_takes = kTakesU8};

}  // namespace spinert
