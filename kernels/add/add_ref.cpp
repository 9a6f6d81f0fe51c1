// add_ref.cpp - the definition of add. The sum in double is rounded once to float: double has more than twice float's
// digits, so that this equals the float addition of every kernel.
#include "kernels/add/add.h"
#include "kernels/base/infer.h"

namespace spinert {
namespace {

enum Input { kA, kB };

void run(const OpCall& call, const RunContext&) {
  const int64_t n = elements_in_use(call.in[kA]);
  for (int64_t i = 0; i < n; ++i) {
    call.out[0].f32()[i] = static_cast<float>(double(call.in[kA].f32()[i]) + double(call.in[kB].f32()[i]));
  }
}

}  // namespace

extern const Kernel add_ref;
const Kernel add_ref = {.run = run};

void visit(AddParams&, ParamVisitor&) {}

Status add_infer(const AddParams&, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("add", in, out, 2, 2, 1));
  SPINERT_TRY(check_activation("add", "a", in[kA], in[kA].shape.rank));
  SPINERT_TRY(check_input("add", "b", in[kB], in[kA].dtype, in[kA].shape.rank));
  if (in[kA].shape != in[kB].shape) {
    return refuse_arch("add", "shapes differ").expected(to_string(in[kA].shape), to_string(in[kB].shape));
  }
  return set_like("add", out[0], in[kA]);
}

Cost add_cost(const OpCall& call) {
  return {.flops = double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance add_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
