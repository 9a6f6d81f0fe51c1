// softmax_ref.cpp - the definition of softmax.
#include "kernels/base/infer.h"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax.inl"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext&) {
  const int64_t channels = call.in[0].shape[1], rows = call.in[0].rows();
  for (int64_t n = 0; n < rows; ++n) {
    softmax_row(call.in[0].f32() + n * channels, call.out[0].f32() + n * channels, channels);
  }
}

}  // namespace

extern const Kernel softmax_ref;
const Kernel softmax_ref = {.run = run};

void visit(SoftmaxParams&, ParamVisitor&) {}

Status softmax_infer(const SoftmaxParams&, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("softmax", in, out, 1, 1, 1));
  SPINERT_TRY(check_input("softmax", "x", in[0], DType::f32, 2));
  if (in[0].shape[1] < 1) {
    return refuse_arch("softmax", "no channels").expected("at least 1", to_string(in[0].shape));
  }
  return set_like("softmax", out[0], in[0]);
}

Cost softmax_cost(const OpCall& call) {
  constexpr double kFlops = 26;  // of portable_exp, the sum and the division
  return {.flops = kFlops * double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance softmax_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
