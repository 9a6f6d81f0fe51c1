// sigmoid_scalar.cpp - backend cpu: the classifier's last layer is six values per patch, so a plain loop is enough.
#include "kernels/base/infer.h"
#include "kernels/base/portable_exp.h"
#include "kernels/sigmoid/sigmoid.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext& context) {
  const float* x = call.in[0].f32();
  float* y = call.out[0].f32();
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    for (int64_t i = range.begin; i < range.end; ++i) y[i] = portable_sigmoid(x[i]);
  });
}

}  // namespace

extern const Kernel sigmoid_scalar;
const Kernel sigmoid_scalar = {.run = run};

}  // namespace spinert
