// upsample_nearest2d_scalar.cpp - backend cpu, threaded over rows of pixels; the inner loop over channels is contiguous
// and left to the compiler. Memory bounds it, and the planner fuses it into the lateral convolution where it can.
#include "kernels/base/infer.h"
#include "kernels/base/simd.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

namespace spinert {
namespace {

template <class Element>
void run_as(const OpCall& call, const RunContext& context) {
  const Shape& shape = call.out[0].shape;
  const int64_t height = shape[1], width = shape[2], channels = shape[3];
  const auto* coarse = static_cast<const Element*>(call.in[0].data);
  const auto* fine = static_cast<const Element*>(call.in[1].data);
  auto* out = static_cast<Element*>(call.out[0].data);
  // Row r of all pictures in sequence: height is even, so r / 2 is the row of the coarse pictures.
  context.pool->run(call.in[1].rows() * height, [&](WorkRange range) {
    for (int64_t r = range.begin; r < range.end; ++r) {
      for (int64_t x = 0; x < width; ++x) {
        const Element* a = fine + (r * width + x) * channels;
        const Element* b = coarse + (r / 2 * (width / 2) + x / 2) * channels;
        Element* y = out + (r * width + x) * channels;
        for (int64_t c = 0; c < channels; ++c) {
          SimdScalar::storeu(y + c, SimdScalar::loadu(a + c) + SimdScalar::loadu(b + c));
        }
      }
    }
  });
}

void run(const OpCall& call, const RunContext& context) {
  call.in[0].dtype == DType::bf16 ? run_as<bf16>(call, context) : run_as<float>(call, context);
}

}  // namespace

extern const Kernel upsample_nearest2d_scalar;
const Kernel upsample_nearest2d_scalar = {.run = run, .also_takes = kTakesBf16};

}  // namespace spinert
