// upsample_nearest2d_scalar.cpp - backend cpu, threaded over rows of pixels; the inner loop over channels is contiguous
// and left to the compiler. Memory bounds it, and the planner fuses it into the lateral convolution where it can.
#include "kernels/base/infer.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext& context) {
  const Shape& shape = call.out[0].shape;
  const int64_t height = shape[1], width = shape[2], channels = shape[3];
  const float *coarse = call.in[0].f32(), *fine = call.in[1].f32();
  float* out = call.out[0].f32();
  // Row r of all pictures in sequence: height is even, so r / 2 is the row of the coarse pictures.
  context.pool->run(call.in[1].rows() * height, [&](WorkRange range) {
    for (int64_t r = range.begin; r < range.end; ++r) {
      for (int64_t x = 0; x < width; ++x) {
        const float* a = fine + (r * width + x) * channels;
        const float* b = coarse + (r / 2 * (width / 2) + x / 2) * channels;
        float* y = out + (r * width + x) * channels;
        for (int64_t c = 0; c < channels; ++c) y[c] = a[c] + b[c];
      }
    }
  });
}

}  // namespace

extern const Kernel upsample_nearest2d_scalar;
const Kernel upsample_nearest2d_scalar = {.run = run};

}  // namespace spinert
