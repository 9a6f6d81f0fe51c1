// rpn_head_ref.cpp - the definition of rpn_head: plain loops, double accumulation, one thread.
#include <cmath>
#include <vector>

#include "kernels/base/epilogue.h"
#include "kernels/base/infer.h"
#include "kernels/rpn_head/rpn_head.h"

namespace spinert {
namespace {

constexpr const char* kOp = "rpn_head";
constexpr int64_t kTaps = 9;

// hidden[k] of the pixel (y, x), before relu and without bias.
void convolve_pixel(const Tensor& map, const Tensor& weight, int64_t y, int64_t x, std::vector<double>& hidden) {
  const Shape& m = map.shape;
  const int64_t channels = m[3], width = weight.shape[3];
  std::fill(hidden.begin(), hidden.end(), 0.0);
  for (int64_t tap = 0; tap < kTaps; ++tap) {
    const int64_t iy = y + tap / 3 - 1, ix = x + tap % 3 - 1;
    if (iy < 0 || iy >= m[1] || ix < 0 || ix >= m[2]) continue;
    for (int64_t c = 0; c < channels; ++c) {
      const double value = map.f32()[(iy * m[2] + ix) * channels + c];
      const float* row = weight.f32() + (tap * channels + c) * width;
      for (int64_t k = 0; k < width; ++k) hidden[static_cast<size_t>(k)] += value * row[k];
    }
  }
}

void project(const std::vector<double>& hidden, const Tensor& weight, const Tensor& bias, float* out) {
  const int64_t channels = weight.shape[3];
  for (int64_t o = 0; o < channels; ++o) {
    double sum = bias.f32()[o];
    for (size_t k = 0; k < hidden.size(); ++k) sum += hidden[k] * weight.f32()[int64_t(k) * channels + o];
    out[o] = static_cast<float>(sum);
  }
}

void run(const OpCall& call, const RunContext&) {
  const size_t levels = rpn_head_levels(call);
  const int64_t anchors = call.in[kRpnLogitsBias].shape[0];
  std::vector<double> hidden(static_cast<size_t>(call.in[kRpnBias].shape[0]));
  for (size_t l = 0; l < levels; ++l) {
    const Tensor& map = call.in[rpn_head_map(l)];
    for (int64_t pixel = 0; pixel < map.shape[1] * map.shape[2]; ++pixel) {
      convolve_pixel(map, call.in[kRpnWeight], pixel / map.shape[2], pixel % map.shape[2], hidden);
      for (size_t k = 0; k < hidden.size(); ++k) {
        hidden[k] = activate(Activation::relu, hidden[k] + call.in[kRpnBias].f32()[k]);
      }
      project(hidden, call.in[kRpnLogitsWeight], call.in[kRpnLogitsBias], call.out[l].f32() + pixel * anchors);
      project(hidden, call.in[kRpnDeltasWeight], call.in[kRpnDeltasBias],
              call.out[levels + l].f32() + pixel * 4 * anchors);
    }
  }
}

Status check_constant(const char* name, const TensorType& type, const Shape& want) {
  if (type.dtype == DType::f32 && type.shape == want) return {};
  return refuse_arch(kOp, name).expected("f32 " + to_string(want),
                                         std::string(dtype_name(type.dtype)) + " " + to_string(type.shape));
}

}  // namespace

extern const Kernel rpn_head_ref;
const Kernel rpn_head_ref = {.run = run};

void visit(RpnHeadParams&, ParamVisitor&) {}

Status rpn_head_infer(const RpnHeadParams&, std::span<const TensorType> in, std::span<TensorType> out) {
  if (in.size() < kRpnMoreMaps) return refuse_arch(kOp, "wrong number of inputs");
  const size_t levels = in.size() - kRpnMoreMaps + 1;
  if (levels > kRpnHeadMaxLevels) return refuse_arch(kOp, "too many maps");
  if (out.size() != 2 * levels) return refuse_arch(kOp, "needs two outputs for each map");
  const TensorType &first = in[kRpnMap0], &weight = in[kRpnWeight];
  SPINERT_TRY(check_activation(kOp, "map 0", first, 4));
  SPINERT_TRY(check_input(kOp, "weight", weight, DType::f32, 4));
  SPINERT_TRY(check_input(kOp, "logits weight", in[kRpnLogitsWeight], DType::f32, 4));
  const int64_t width = weight.shape[3], anchors = in[kRpnLogitsWeight].shape[3];
  if (first.shape[3] < 1 || width < 1 || anchors < 1) return refuse_arch(kOp, "a weight has no elements");
  if (anchors > kMaxElements / 4) return refuse_arch(kOp, "too many anchors");
  SPINERT_TRY(check_constant("weight", weight, {3, 3, first.shape[3], width}));
  SPINERT_TRY(check_constant("bias", in[kRpnBias], {width}));
  SPINERT_TRY(check_constant("logits weight", in[kRpnLogitsWeight], {1, 1, width, anchors}));
  SPINERT_TRY(check_constant("logits bias", in[kRpnLogitsBias], {anchors}));
  SPINERT_TRY(check_constant("deltas weight", in[kRpnDeltasWeight], {1, 1, width, 4 * anchors}));
  SPINERT_TRY(check_constant("deltas bias", in[kRpnDeltasBias], {4 * anchors}));
  for (size_t l = 0; l < levels; ++l) {
    const TensorType& map = in[rpn_head_map(l)];
    SPINERT_TRY(check_input(kOp, "a map", map, first.dtype, 4));
    if (map.shape[0] != 1 || map.shape[3] != first.shape[3] || map.count != -1) {
      return refuse_arch(kOp, "a map")
          .expected("one picture with " + std::to_string(first.shape[3]) + " channels", to_string(map.shape));
    }
    SPINERT_TRY(set_output(kOp, out[l], DType::f32, {1, map.shape[1], map.shape[2], anchors}));
    SPINERT_TRY(set_output(kOp, out[levels + l], DType::f32, {1, map.shape[1], map.shape[2], 4 * anchors}));
  }
  return {};
}

Cost rpn_head_cost(const OpCall& call) {
  const Shape& weight = call.in[kRpnWeight].shape;
  double pixels = 0;
  for (size_t l = 0; l < rpn_head_levels(call); ++l) {
    const Shape& map = call.in[rpn_head_map(l)].shape;
    pixels += double(map[1]) * double(map[2]);
  }
  const double width = double(weight[3]), outputs = 5 * double(call.in[kRpnLogitsBias].shape[0]);
  return {.flops = 2 * pixels * width * (double(kTaps) * double(weight[2]) + outputs), .bytes = call_bytes(call)};
}

Tolerance rpn_head_tolerance(const OpCall& call) {
  double largest = 0;
  for (size_t l = 0; l < rpn_head_levels(call); ++l) largest = std::max(largest, max_abs(call.in[rpn_head_map(l)]));
  const double k = double(kTaps) * double(call.in[kRpnWeight].shape[2]), width = double(call.in[kRpnWeight].shape[3]);
  const double weight = max_abs(call.in[kRpnWeight]), bias = max_abs(call.in[kRpnBias]);
  const double hidden_error = dot_tolerance(k, largest, weight) + dot_tolerance(1, bias, 1);
  // Sums of k terms of either sign stay within a few of their standard deviations, which is below sqrt(k) of the
  // largest term; and so do the errors of the hidden map, which come from independent roundings.
  const double hidden = 2 * std::sqrt(k) * largest * weight + bias;
  double bound = 0;
  for (const size_t i : {size_t{kRpnLogitsWeight}, size_t{kRpnDeltasWeight}}) {
    const double second = max_abs(call.in[i]);
    bound = std::max(bound, dot_tolerance(width, hidden, second) + std::sqrt(width) * second * hidden_error +
                                dot_tolerance(1, max_abs(call.in[i + 1]), 1));
  }
  return {.absolute = bound, .relative = 0};
}

}  // namespace spinert
