// relu_ref.cpp - the definition of relu and relu6.
#include "kernels/base/epilogue.h"
#include "kernels/base/infer.h"
#include "kernels/relu/relu.h"

namespace spinert {
namespace {

Activation kind(const OpCall& call) {
  return call.as<ReluParams>().max == 6 ? Activation::relu6 : Activation::relu;
}

void run(const OpCall& call, const RunContext&) {
  const Activation activation = kind(call);
  const int64_t n = elements_in_use(call.in[0]);
  for (int64_t i = 0; i < n; ++i) call.out[0].f32()[i] = activate(activation, call.in[0].f32()[i]);
}

}  // namespace

extern const Kernel relu_ref;
const Kernel relu_ref = {.run = run};

void visit(ReluParams& params, ParamVisitor& visitor) {
  visitor.field("max", params.max);
}

Status relu_infer(const ReluParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("relu", in, out, 1, 1, 1));
  SPINERT_TRY(check_activation("relu", "x", in[0], in[0].shape.rank));
  if (p.max != 0 && p.max != 6) {
    return refuse_arch("relu", "a parameter is out of range").expected("max 0 or 6", std::to_string(p.max));
  }
  return set_like("relu", out[0], in[0]);
}

Cost relu_cost(const OpCall& call) {
  return {.flops = double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance relu_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
