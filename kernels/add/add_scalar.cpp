// add_scalar.cpp - backend cpu. Residual additions are fused into convolutions; a loop the compiler vectorises is
// enough for what is left, and memory bounds it.
#include "kernels/add/add.h"
#include "kernels/base/infer.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext& context) {
  const float *a = call.in[0].f32(), *b = call.in[1].f32();
  float* y = call.out[0].f32();
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    for (int64_t i = range.begin; i < range.end; ++i) y[i] = a[i] + b[i];
  });
}

}  // namespace

extern const Kernel add_scalar;
const Kernel add_scalar = {.run = run};

}  // namespace spinert
