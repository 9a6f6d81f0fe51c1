// softmax_scalar.cpp - backend cpu: a thousand rows of two classes, threaded over rows.
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax.inl"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext& context) {
  const int64_t channels = call.in[0].shape[1];
  const float* x = call.in[0].f32();
  float* y = call.out[0].f32();
  context.pool->run(call.in[0].rows(), [&](WorkRange range) {
    for (int64_t n = range.begin; n < range.end; ++n) softmax_row(x + n * channels, y + n * channels, channels);
  });
}

}  // namespace

extern const Kernel softmax_scalar;
const Kernel softmax_scalar = {.run = run};

}  // namespace spinert
