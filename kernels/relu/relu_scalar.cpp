// relu_scalar.cpp - backend cpu. The planner fuses nearly every relu into the operator before it, so that a loop the
// compiler vectorises is enough here.
#include "kernels/base/epilogue.h"
#include "kernels/base/infer.h"
#include "kernels/base/simd.h"
#include "kernels/relu/relu.h"

namespace spinert {
namespace {

template <class Element>
void run_as(const OpCall& call, const RunContext& context) {
  using S = SimdScalar;
  const Activation activation = call.as<ReluParams>().max == 6 ? Activation::relu6 : Activation::relu;
  const auto* x = static_cast<const Element*>(call.in[0].data);
  auto* y = static_cast<Element*>(call.out[0].data);
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    for (int64_t i = range.begin; i < range.end; ++i) S::storeu(y + i, activate(activation, S::loadu(x + i)));
  });
}

void run(const OpCall& call, const RunContext& context) {
  call.in[0].dtype == DType::bf16 ? run_as<bf16>(call, context) : run_as<float>(call, context);
}

}  // namespace

extern const Kernel relu_scalar;
const Kernel relu_scalar = {.run = run, .also_takes = kTakesBf16};

}  // namespace spinert
