// softmax_scalar.cpp - backend cpu: a thousand rows of two classes, threaded over rows
// where there are enough of them: waking a parked thread takes longer than the whole box head (measured 0.11 ms
// against 0.015 ms).
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax.inl"

namespace spinert {
namespace {

constexpr int64_t kSerial = 16384;  // elements below which one thread is faster

void run(const OpCall& call, const RunContext& context) {
  const int64_t channels = call.in[0].shape[1];
  const float* x = call.in[0].f32();
  float* y = call.out[0].f32();
  const auto work = [&](WorkRange range) {
    for (int64_t n = range.begin; n < range.end; ++n) softmax_row(x + n * channels, y + n * channels, channels);
  };
  const int64_t rows = call.in[0].rows();
  if (rows * channels < kSerial) {
    work({0, rows, 0});
  } else {
    context.pool->run(rows, work);
  }
}

}  // namespace

extern const Kernel softmax_scalar;
const Kernel softmax_scalar = {.run = run};

}  // namespace spinert
