// global_average_pool_scalar.cpp - backend cpu: adds whole pixels, which are contiguous over channels, into the output
// row; the compiler vectorises the inner loop. The order of the sum is that of the reference, in float.
#include "kernels/base/infer.h"
#include "kernels/global_average_pool/global_average_pool.h"

namespace spinert {
namespace {

constexpr int64_t kBlock = 256;  // channels per work item: a thread's part of the output stays in the first cache

void run(const OpCall& call, const RunContext& context) {
  const Shape& x = call.in[0].shape;
  const int64_t pixels = x[1] * x[2], channels = x[3], blocks = (channels + kBlock - 1) / kBlock;
  const float* in = call.in[0].f32();
  float* out = call.out[0].f32();
  context.pool->run(call.in[0].rows() * blocks, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / blocks, first = item % blocks * kBlock;
      const int64_t width = std::min(kBlock, channels - first);
      const float* image = in + n * pixels * channels + first;
      float* y = out + n * channels + first;
      for (int64_t c = 0; c < width; ++c) y[c] = image[c];
      for (int64_t i = 1; i < pixels; ++i) {
        const float* pixel = image + i * channels;
        for (int64_t c = 0; c < width; ++c) y[c] += pixel[c];
      }
      const float count = static_cast<float>(pixels);
      for (int64_t c = 0; c < width; ++c) y[c] /= count;
    }
  });
}

}  // namespace

extern const Kernel global_average_pool_scalar;
const Kernel global_average_pool_scalar = {.run = run};

}  // namespace spinert
