// quantise_ref.cpp - the definition of quantise.
#include "kernels/quantise/quantise.h"

#include "kernels/base/infer.h"
#include "kernels/base/quantise.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext&) {
  const Tensor& y = call.out[0];
  const int64_t n = elements_in_use(call.in[0]);
  for (int64_t i = 0; i < n; ++i) y.as<uint8_t>()[i] = quantised(call.in[0].f32()[i], y.quantisation);
}

}  // namespace

extern const Kernel quantise_ref;
const Kernel quantise_ref = {.run = run, .also_takes = kTakesU8};

void visit(QuantiseParams&, ParamVisitor&) {}

Status quantise_infer(const QuantiseParams&, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("quantise", in, out, 1, 1, 1));
  SPINERT_TRY(check_activation("quantise", "x", in[0], in[0].shape.rank));
  if (in[0].dtype != DType::f32) {
    return refuse_arch("quantise", "type of x").expected("f32", std::string(dtype_name(in[0].dtype)));
  }
  SPINERT_TRY(set_like("quantise", out[0], in[0]));
  out[0].dtype = DType::u8;
  return {};
}

Cost quantise_cost(const OpCall& call) {
  return {.flops = double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance quantise_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
