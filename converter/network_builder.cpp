#include "converter/network_builder.h"

#include <cmath>

#include "kernels/conv2d/conv2d.h"
#include "kernels/linear/linear.h"
#include "kernels/relu/relu.h"

namespace spinert {

std::vector<float> conv_layout(const std::vector<float>& values, int64_t out, int64_t in, int64_t kernel) {
  std::vector<float> result(values.size());
  if (values.empty()) return result;
  const int64_t taps = kernel * kernel;
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) {
      for (int64_t t = 0; t < taps; ++t) {
        result[static_cast<size_t>((t * in + i) * out + o)] = values[static_cast<size_t>((o * in + i) * taps + t)];
      }
    }
  }
  return result;
}

std::vector<float> linear_layout(const std::vector<float>& values, int64_t out, int64_t channels, int64_t places) {
  std::vector<float> result(values.size());
  if (values.empty()) return result;
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < places; ++p) {
        result[static_cast<size_t>((p * channels + c) * out + o)] =
            values[static_cast<size_t>((o * channels + c) * places + p)];
      }
    }
  }
  return result;
}

FoldedNorm fold_batch_norm(const std::vector<float>& weight, const std::vector<float>& bias,
                           const std::vector<float>& mean, const std::vector<float>& var, double eps) {
  FoldedNorm folded;
  for (size_t c = 0; c < weight.size(); ++c) {
    const double factor = double{weight[c]} / std::sqrt(double{var[c]} + eps);
    folded.factor.push_back(factor);
    folded.offset.push_back(double{bias[c]} - double{mean[c]} * factor);
  }
  return folded;
}

int NetworkBuilder::constant(std::string name, const Shape& shape, std::vector<float> values, bool is_weight) {
  check_finite(name, values);
  ConvertedTensor tensor{name, {}, std::move(values), is_weight};
  for (int i = 0; i < shape.rank; ++i) tensor.shape.push_back(static_cast<uint64_t>(shape[i]));
  tensors_.push_back(std::move(tensor));
  return graph_.add_constant(std::move(name), DType::f32, shape);
}

// Folding can leave the range of float even if every source value is inside: var + eps = 0.
void NetworkBuilder::check_finite(const std::string& name, const std::vector<float>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    source_.note_value(name, i, "is not finite after batch-norm folding");
    return;
  }
}

int NetworkBuilder::conv_bn(const std::string& conv_name, const std::string& norm, const std::string& output, int x,
                            const ConvSpec& spec) {
  std::vector<float> weight =
      source_.take(conv_name + ".weight", {spec.out, spec.group_in(), spec.kernel, spec.kernel});
  const auto gamma = source_.take(norm + ".weight", {spec.out});
  const auto beta = source_.take(norm + ".bias", {spec.out});
  const auto mean = source_.take(norm + ".running_mean", {spec.out});
  const auto var = source_.take(norm + ".running_var", {spec.out});
  for (size_t c = 0; c < var.size(); ++c) {
    if (!(var[c] >= 0)) {
      source_.note_value(norm + ".running_var", c, "is a negative variance");
      break;
    }
  }
  std::vector<float> bias;
  const bool complete = !weight.empty() && !gamma.empty() && !beta.empty() && !mean.empty() && !var.empty();
  if (complete) {
    const FoldedNorm folded = fold_batch_norm(gamma, beta, mean, var, eps_);
    const size_t per_channel = weight.size() / folded.factor.size();
    for (size_t i = 0; i < weight.size(); ++i) {
      weight[i] = static_cast<float>(double{weight[i]} * folded.factor[i / per_channel]);
    }
    for (const double offset : folded.offset) bias.push_back(static_cast<float>(offset));
  }
  const int w = constant(output + ".weight", {spec.kernel, spec.kernel, spec.group_in(), spec.out},
                         conv_layout(weight, spec.out, spec.group_in(), spec.kernel), true);
  const int b = constant(output + ".bias", {spec.out}, std::move(bias), false);
  return conv(output, x, {w, b}, spec);
}

NetworkBuilder::Constants NetworkBuilder::conv_constants(const std::string& conv_name, const std::string& name,
                                                         const ConvSpec& spec) {
  const auto weight = source_.take(conv_name + ".weight", {spec.out, spec.group_in(), spec.kernel, spec.kernel});
  auto bias = source_.take(conv_name + ".bias", {spec.out});
  const int w = constant(name + ".weight", {spec.kernel, spec.kernel, spec.group_in(), spec.out},
                         conv_layout(weight, spec.out, spec.group_in(), spec.kernel), true);
  return {w, constant(name + ".bias", {spec.out}, std::move(bias), false)};
}

int NetworkBuilder::conv(const std::string& output, int x, Constants constants, const ConvSpec& spec) {
  Conv2dParams params;
  params.stride = spec.stride;
  params.padding = spec.padding;
  params.groups = spec.groups;
  return add(OpId::conv2d, {output}, params, {x, constants.weight, constants.bias});
}

int NetworkBuilder::linear(const std::string& layer, const std::string& output, int x, int64_t in, int64_t out) {
  return linear_of_map(layer, output, x, in, 1, out);
}

int NetworkBuilder::linear_of_map(const std::string& layer, const std::string& output, int x, int64_t channels,
                                  int64_t side, int64_t out) {
  const int64_t in = channels * side * side;
  const auto weight = source_.take(layer + ".weight", {out, in});
  auto bias = source_.take(layer + ".bias", {out});
  const int w = constant(output + ".weight", {in, out}, linear_layout(weight, out, channels, side * side), true);
  const int b = constant(output + ".bias", {out}, std::move(bias), false);
  return add(OpId::linear, {output}, LinearParams{}, {x, w, b});
}

int NetworkBuilder::relu(const std::string& output, int x) {
  return add(OpId::relu, {output}, ReluParams{}, {x});
}

int NetworkBuilder::relu6(const std::string& output, int x) {
  return add(OpId::relu, {output}, ReluParams{6}, {x});
}

Status NetworkBuilder::finish(const std::string& architecture) const {
  SPINERT_TRY(source_.finish(architecture));
  return status_;
}

}  // namespace spinert
