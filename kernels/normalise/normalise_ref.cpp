// normalise_ref.cpp - the definition of normalise, in double.
#include "kernels/base/epilogue.h"
#include "kernels/base/infer.h"
#include "kernels/normalise/normalise.h"

namespace spinert {
namespace {

constexpr size_t kMaxChannels = 16;

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<NormaliseParams>();
  const int64_t pixels = elements_in_use(call.in[0]);
  const size_t channels = p.mean.size();
  float* y = call.out[0].f32();
  for (int64_t i = 0; i < pixels; ++i) {
    const double grey = double(call.in[0].f32()[i]) / 255.0;
    for (size_t c = 0; c < channels; ++c) *y++ = static_cast<float>((grey - p.mean[c]) / p.std[c]);
  }
}

}  // namespace

extern const Kernel normalise_ref;
const Kernel normalise_ref = {.run = run};

void visit(NormaliseParams& params, ParamVisitor& visitor) {
  visitor.field("mean", params.mean);
  visitor.field("std", params.std);
}

Status normalise_infer(const NormaliseParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("normalise", in, out, 1, 1, 1));
  SPINERT_TRY(check_input("normalise", "grey", in[0], DType::f32, 4));
  if (in[0].shape[3] != 1) {
    return refuse_arch("normalise", "grey must have one channel").expected("1", to_string(in[0].shape));
  }
  if (p.mean.empty() || p.mean.size() > kMaxChannels || p.mean.size() != p.std.size()) {
    return refuse_arch("normalise", "needs one mean and one std for each of 1 to 16 channels")
        .expected(std::to_string(p.mean.size()), std::to_string(p.std.size()));
  }
  for (size_t c = 0; c < p.mean.size(); ++c) {
    if (!std::isfinite(p.mean[c]) || !std::isfinite(p.std[c]) || p.std[c] <= 0) {
      return refuse_arch("normalise", "mean must be finite and std above 0, channel " + std::to_string(c));
    }
  }
  const Shape& x = in[0].shape;
  const Shape y{x[0], x[1], x[2], static_cast<int64_t>(p.mean.size())};
  return set_output("normalise", out[0], DType::f32, y, in[0].count, in[0].count_scale);
}

Cost normalise_cost(const OpCall& call) {
  return {.flops = 2.0 * double(call.out[0].elements()), .bytes = call_bytes(call)};
}

// A float kernel computes grey * (1/(255 std)) - mean/std: two rounded constants and two operations.
Tolerance normalise_tolerance(const OpCall& call) {
  const auto& p = call.as<NormaliseParams>();
  const double grey = max_abs(call.in[0]) / 255.0;
  double bound = 0;
  for (size_t c = 0; c < p.mean.size(); ++c) {
    bound = std::max(bound, dot_tolerance(1, 1, (grey + std::abs(p.mean[c])) / p.std[c]));
  }
  return {.absolute = bound, .relative = 0};
}

}  // namespace spinert
