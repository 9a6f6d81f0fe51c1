// sigmoid_ref.cpp - the definition of sigmoid: portable_sigmoid, so that every backend gives the same bits.
#include "kernels/base/infer.h"
#include "kernels/base/portable_exp.h"
#include "kernels/sigmoid/sigmoid.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext&) {
  const int64_t n = elements_in_use(call.in[0]);
  for (int64_t i = 0; i < n; ++i) call.out[0].f32()[i] = portable_sigmoid(call.in[0].f32()[i]);
}

}  // namespace

extern const Kernel sigmoid_ref;
const Kernel sigmoid_ref = {.run = run};

void visit(SigmoidParams&, ParamVisitor&) {}

Status sigmoid_infer(const SigmoidParams&, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("sigmoid", in, out, 1, 1, 1));
  SPINERT_TRY(check_input("sigmoid", "x", in[0], DType::f32, in[0].shape.rank));
  return set_like("sigmoid", out[0], in[0]);
}

Cost sigmoid_cost(const OpCall& call) {
  constexpr double kFlops = 24;  // of portable_exp and the division
  return {.flops = kFlops * double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance sigmoid_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
