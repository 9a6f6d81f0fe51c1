// global_average_pool_codes_scalar.cpp - backend cpu: the mean of u8 codes as f32. Sums are whole numbers (i32, exact
// up to 2^23 pixels); the compiler vectorises the loop over channels.
#include <algorithm>

#include "kernels/global_average_pool/global_average_pool.h"

namespace spinert {
namespace {

constexpr int64_t kBlock = 256;  // channels per work item
constexpr int64_t kMostPixels = int64_t{1} << 23;

const char* rejects(const OpCall& call) {
  const Tensor& x = call.in[0];
  if (x.dtype != DType::u8) return "takes activations of u8 only";
  return x.shape[1] * x.shape[2] > kMostPixels ? "the sum of the pixels does not fit" : nullptr;
}

void run(const OpCall& call, const RunContext& context) {
  const Tensor& x = call.in[0];
  const int64_t pixels = x.shape[1] * x.shape[2], channels = x.shape[3], blocks = (channels + kBlock - 1) / kBlock;
  const double factor = double(x.quantisation.scale) / double(pixels);
  const auto offset = static_cast<int32_t>(pixels * x.quantisation.zero);
  context.pool->run(x.rows() * blocks, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / blocks, first = item % blocks * kBlock;
      const int64_t width = std::min(kBlock, channels - first);
      const uint8_t* image = x.as<uint8_t>() + n * pixels * channels + first;
      int32_t sums[kBlock] = {};
      for (int64_t i = 0; i < pixels; ++i) {
        const uint8_t* pixel = image + i * channels;
        for (int64_t c = 0; c < width; ++c) sums[c] += pixel[c];
      }
      float* y = call.out[0].f32() + n * channels + first;
      for (int64_t c = 0; c < width; ++c) y[c] = static_cast<float>(double(sums[c] - offset) * factor);
    }
  });
}

}  // namespace

extern const Kernel global_average_pool_codes_scalar;
const Kernel global_average_pool_codes_scalar = {.rejects = rejects, .run = run, .also_takes = kTakesU8};

}  // namespace spinert
