// relu_scalar.cpp - backend cpu. The planner fuses nearly every relu into the operator before it, so that a loop the
// compiler vectorises is enough here.
#include "kernels/base/infer.h"
#include "kernels/relu/relu.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext& context) {
  const bool limited = call.as<ReluParams>().max == 6;
  const float* x = call.in[0].f32();
  float* y = call.out[0].f32();
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    // Comparisons with NaN are false and x passes through.
    if (limited) {
      for (int64_t i = range.begin; i < range.end; ++i) {
        const float positive = x[i] < 0.0f ? 0.0f : x[i];
        y[i] = positive > 6.0f ? 6.0f : positive;
      }
    } else {
      for (int64_t i = range.begin; i < range.end; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
    }
  });
}

}  // namespace

extern const Kernel relu_scalar;
const Kernel relu_scalar = {.run = run};

}  // namespace spinert
