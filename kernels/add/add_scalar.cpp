// add_scalar.cpp - backend cpu. Residual additions are fused into convolutions; a loop the compiler vectorises is
// enough for what is left, and memory bounds it.
#include "kernels/add/add.h"
#include "kernels/base/infer.h"
#include "kernels/base/simd.h"

namespace spinert {
namespace {

template <class Element>
void run_as(const OpCall& call, const RunContext& context) {
  using S = SimdScalar;
  const auto *a = static_cast<const Element*>(call.in[0].data), *b = static_cast<const Element*>(call.in[1].data);
  auto* y = static_cast<Element*>(call.out[0].data);
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    for (int64_t i = range.begin; i < range.end; ++i) S::storeu(y + i, S::loadu(a + i) + S::loadu(b + i));
  });
}

void run(const OpCall& call, const RunContext& context) {
  call.in[0].dtype == DType::bf16 ? run_as<bf16>(call, context) : run_as<float>(call, context);
}

}  // namespace

extern const Kernel add_scalar;
const Kernel add_scalar = {.run = run, .also_takes = kTakesBf16};

}  // namespace spinert
