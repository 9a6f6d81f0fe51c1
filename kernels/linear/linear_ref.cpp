// linear_ref.cpp - the definition of linear: plain loops, double accumulation, one thread.
#include <vector>

#include "kernels/base/half.h"
#include "kernels/base/infer.h"
#include "kernels/base/quantise.h"
#include "kernels/linear/linear.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias };

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<LinearParams>();
  const int64_t k_total = call.in[kWeight].shape[0], out_c = call.in[kWeight].shape[1];
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  const PlainOperands operands(call.in[kX], call.in[kWeight]);
  std::vector<double> acc(static_cast<size_t>(out_c));
  for (int64_t r = 0; r < call.in[kX].rows(); ++r) {
    std::fill(acc.begin(), acc.end(), 0.0);
    for (int64_t k = 0; k < k_total; ++k) {
      const double value = operands.value(r * k_total + k);
      const float* row = operands.weight() + k * out_c;
      for (int64_t o = 0; o < out_c; ++o) acc[static_cast<size_t>(o)] += value * row[o];
    }
    for (int64_t o = 0; o < out_c; ++o) {
      const double sum = acc[static_cast<size_t>(o)] * operands.factor(o) + (bias ? bias[o] : 0.0f);
      store_from_f32(call.out[0], r * out_c + o, static_cast<float>(activate(p.activation, sum)));
    }
  }
}

}  // namespace

extern const Kernel linear_ref;
const Kernel linear_ref = {.run = run, .also_takes = kTakesU8};

void visit(LinearParams& params, ParamVisitor& visitor) {
  visit_activation(params.activation, visitor);
  visit_output_type(params.output, visitor);
}

Status linear_infer(const LinearParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  const auto refuse = [](std::string what) { return error(ErrorId::E_MODEL_ARCH, "linear: " + what); };
  if (in.size() < 2 || in.size() > 3 || out.size() != 1) return refuse("needs 2 or 3 inputs and 1 output");
  const Shape &x = in[kX].shape, &w = in[kWeight].shape;
  if (!is_activation(in[kX].dtype) || in[kWeight].dtype != DType::f32)
    return refuse("input must be f32, f16, bf16 or u8, weight f32");
  if (x.rank < 2 || w.rank != 2) return refuse("input needs rank 2 or more, weight rank 2");
  if (!activation_valid(p.activation)) return refuse("unknown activation");
  Shape row = x;
  row[0] = 1;
  const auto k = row.checked_elements();
  if (w[0] < 1 || w[1] < 1) return refuse("weight has no elements");
  if (!k || *k != w[0]) return refuse("row length").expected(std::to_string(w[0]), to_string(x));
  if (in.size() > kBias && in[kBias].present() && (in[kBias].dtype != DType::f32 || in[kBias].shape != Shape{w[1]})) {
    return refuse("bias").expected(std::to_string(w[1]), to_string(in[kBias].shape));
  }
  if (in[kX].dtype == DType::u8 && w[0] > kMaxIntegerSum) return refuse("sum too long for 8-bit integers");
  SPINERT_TRY(check_output_type("linear", p.output, in[kX].dtype, out[0].dtype));
  out[0].shape = {x[0], w[1]};
  out[0].count = in[kX].count;
  out[0].count_scale = in[kX].count_scale;
  return {};
}

Cost linear_cost(const OpCall& call) {
  Cost cost;
  cost.flops = 2.0 * double(call.out[0].elements()) * double(call.in[kWeight].shape[0]);
  for (const Tensor& t : call.in) cost.bytes += double(t.bytes());
  cost.bytes += double(call.out[0].bytes());
  return cost;
}

Tolerance linear_tolerance(const OpCall& call) {
  const double k = double(call.in[kWeight].shape[0]);
  double bound = dot_tolerance(k, max_abs(call.in[kX]), max_abs(call.in[kWeight]));
  if (call.has(kBias)) bound += dot_tolerance(1, max_abs(call.in[kBias]), 1);
  return {.absolute = bound, .relative = 0};
}

}  // namespace spinert
