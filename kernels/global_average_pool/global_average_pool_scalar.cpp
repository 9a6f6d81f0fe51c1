// global_average_pool_scalar.cpp - backend cpu: adds whole pixels, which are contiguous over channels, into the output
// row; the compiler vectorises the inner loop. The order of the sum is that of the reference, in float.
#include "kernels/base/infer.h"
#include "kernels/base/simd.h"
#include "kernels/global_average_pool/global_average_pool.h"

namespace spinert {
namespace {

constexpr int64_t kBlock = 256;  // channels per work item: a thread's part of the output stays in the first cache

// Element: float or bf16. The sums are float.
template <class Element>
void run_as(const OpCall& call, const RunContext& context) {
  using S = SimdScalar;
  const Shape& x = call.in[0].shape;
  const int64_t pixels = x[1] * x[2], channels = x[3], blocks = (channels + kBlock - 1) / kBlock;
  const auto* in = static_cast<const Element*>(call.in[0].data);
  auto* out = static_cast<Element*>(call.out[0].data);
  context.pool->run(call.in[0].rows() * blocks, [&](WorkRange range) {
    for (int64_t item = range.begin; item < range.end; ++item) {
      const int64_t n = item / blocks, first = item % blocks * kBlock;
      const int64_t width = std::min(kBlock, channels - first);
      const Element* image = in + n * pixels * channels + first;
      Element* y = out + n * channels + first;
      float sum[kBlock];
      for (int64_t c = 0; c < width; ++c) sum[c] = S::loadu(image + c);
      for (int64_t i = 1; i < pixels; ++i) {
        const Element* pixel = image + i * channels;
        for (int64_t c = 0; c < width; ++c) sum[c] += S::loadu(pixel + c);
      }
      const float count = static_cast<float>(pixels);
      for (int64_t c = 0; c < width; ++c) S::storeu(y + c, sum[c] / count);
    }
  });
}

void run(const OpCall& call, const RunContext& context) {
  call.in[0].dtype == DType::bf16 ? run_as<bf16>(call, context) : run_as<float>(call, context);
}

}  // namespace

extern const Kernel global_average_pool_scalar;
const Kernel global_average_pool_scalar = {.run = run, .also_takes = kTakesBf16};

}  // namespace spinert
