// count_above_ref.cpp - the definition of count_above. A loop over a hundred scores: the cpu row is the same code.
#include <cmath>
#include <limits>

#include "kernels/base/infer.h"
#include "kernels/count_above/count_above.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext&) {
  const auto threshold = static_cast<float>(call.as<CountAboveParams>().threshold);
  const int64_t rows = call.in[0].rows();
  int64_t n = 0;
  while (n < rows && call.in[0].f32()[n] >= threshold) ++n;
  call.out[0].i32()[0] = static_cast<int32_t>(n);
}

}  // namespace

extern const Kernel count_above_ref, count_above_scalar;
const Kernel count_above_ref = {.run = run};
const Kernel count_above_scalar = {.run = run};

void visit(CountAboveParams& params, ParamVisitor& visitor) {
  visitor.field("threshold", params.threshold);
}

Status count_above_infer(const CountAboveParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  constexpr const char* kOp = "count_above";
  SPINERT_TRY(check_arity(kOp, in, out, 1, 1, 1));
  SPINERT_TRY(check_input(kOp, "scores", in[0], DType::f32, 1));
  if (in[0].shape[0] > std::numeric_limits<int32_t>::max()) {
    return refuse_arch(kOp, "more scores than a count holds")
        .expected("at most 2147483647", std::to_string(in[0].shape[0]));
  }
  if (!(std::abs(p.threshold) <= double(std::numeric_limits<float>::max()))) {
    return refuse_arch(kOp, "the threshold is out of range")
        .expected("a number that fits float", std::to_string(p.threshold));
  }
  return set_output(kOp, out[0], DType::i32, Shape{1});
}

Cost count_above_cost(const OpCall& call) {
  return {.flops = double(call.in[0].elements()), .bytes = call_bytes(call)};
}

Tolerance count_above_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
