// global_average_pool_ref.cpp - the definition of global_average_pool, sums in double.
#include "kernels/base/epilogue.h"
#include "kernels/base/half.h"
#include "kernels/base/infer.h"
#include "kernels/global_average_pool/global_average_pool.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext&) {
  const Shape& x = call.in[0].shape;
  const int64_t pixels = x[1] * x[2], channels = x[3], rows = call.in[0].rows();
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < pixels; ++i) sum += double(load_as_f32(call.in[0], (n * pixels + i) * channels + c));
      call.out[0].f32()[n * channels + c] = static_cast<float>(sum / double(pixels));
    }
  }
}

}  // namespace

extern const Kernel global_average_pool_ref;
const Kernel global_average_pool_ref = {.run = run, .also_takes = kTakesU8};

void visit(GlobalAveragePoolParams&, ParamVisitor&) {}

Status global_average_pool_infer(const GlobalAveragePoolParams&, std::span<const TensorType> in,
                                 std::span<TensorType> out) {
  SPINERT_TRY(check_arity("global_average_pool", in, out, 1, 1, 1));
  SPINERT_TRY(check_activation("global_average_pool", "x", in[0], 4));
  const Shape& x = in[0].shape;
  if (x[1] < 1 || x[2] < 1) {
    return refuse_arch("global_average_pool", "no pixels").expected("height and width of at least 1", to_string(x));
  }
  const DType type = in[0].dtype == DType::u8 ? DType::f32 : in[0].dtype;
  return set_output("global_average_pool", out[0], type, Shape{x[0], x[3]}, in[0].count, in[0].count_scale);
}

Cost global_average_pool_cost(const OpCall& call) {
  return {.flops = double(call.in[0].elements()), .bytes = call_bytes(call)};
}

// k - 1 additions of at most k max|x| / k each, rounded by eps/2, and the division.
Tolerance global_average_pool_tolerance(const OpCall& call) {
  const double k = double(call.in[0].shape[1] * call.in[0].shape[2]);
  return {.absolute = dot_tolerance(k, max_abs(call.in[0]), 0.25), .relative = 0};
}

}  // namespace spinert
