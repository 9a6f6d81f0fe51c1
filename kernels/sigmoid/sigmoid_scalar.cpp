// sigmoid_scalar.cpp - backend cpu: the classifier's last layer is six values per patch, so a plain loop is enough.
#include "kernels/base/infer.h"
#include "kernels/base/portable_exp.h"
#include "kernels/sigmoid/sigmoid.h"

namespace spinert {
namespace {

constexpr int64_t kSerial = 16384;  // elements below which waking a thread costs more than it saves

void run(const OpCall& call, const RunContext& context) {
  const float* x = call.in[0].f32();
  float* y = call.out[0].f32();
  const auto work = [&](WorkRange range) {
    for (int64_t i = range.begin; i < range.end; ++i) y[i] = portable_sigmoid(x[i]);
  };
  const int64_t n = elements_in_use(call.in[0]);
  if (n < kSerial) {
    work({0, n, 0});
  } else {
    context.pool->run(n, work);
  }
}

}  // namespace

extern const Kernel sigmoid_scalar;
const Kernel sigmoid_scalar = {.run = run};

}  // namespace spinert
