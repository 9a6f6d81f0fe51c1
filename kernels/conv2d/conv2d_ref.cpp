// conv2d_ref.cpp - the definition of conv2d: plain loops, double accumulation, one thread.
#include <vector>

#include "kernels/base/half.h"
#include "kernels/base/infer.h"
#include "kernels/base/quantise.h"
#include "kernels/conv2d/conv2d.h"

namespace spinert {
namespace {

enum Input { kX, kWeight, kBias, kResidual };

// One output pixel: acc[o] over all taps. The innermost loop runs over output channels, which are contiguous in the
// weight, so that this stays near 4 GMAC/s without any trick.
// image: the number of the first element of the picture.
void accumulate_pixel(const Conv2dParams& p, const Conv2dShape& s, const PlainOperands& operands, int64_t image,
                      int64_t oy, int64_t ox, double* acc) {
  const int64_t group_in = s.in_c / p.groups, group_out = s.out_c / p.groups;
  for (int64_t i = 0; i < s.kernel_h; ++i) {
    const int64_t y = oy * p.stride + i * p.dilation - p.padding;
    if (y < 0 || y >= s.in_h) continue;
    for (int64_t j = 0; j < s.kernel_w; ++j) {
      const int64_t x = ox * p.stride + j * p.dilation - p.padding;
      if (x < 0 || x >= s.in_w) continue;
      const int64_t pixel = image + (y * s.in_w + x) * s.in_c;
      const float* tap = operands.weight() + (i * s.kernel_w + j) * group_in * s.out_c;
      for (int64_t g = 0; g < p.groups; ++g) {
        double* group_acc = acc + g * group_out;
        for (int64_t c = 0; c < group_in; ++c) {
          const double value = operands.value(pixel + g * group_in + c);
          const float* row = tap + c * s.out_c + g * group_out;
          for (int64_t o = 0; o < group_out; ++o) group_acc[o] += value * row[o];
        }
      }
    }
  }
}

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<Conv2dParams>();
  const Conv2dShape s = conv2d_shape(call);
  const float* bias = call.has(kBias) ? call.in[kBias].f32() : nullptr;
  const PlainOperands operands(call.in[kX], call.in[kWeight]);
  std::vector<double> acc(static_cast<size_t>(s.out_c));
  const int64_t rows = call.in[kX].rows();
  for (int64_t n = 0; n < rows; ++n) {
    const int64_t image = n * s.in_h * s.in_w * s.in_c;
    for (int64_t oy = 0; oy < s.out_h; ++oy) {
      for (int64_t ox = 0; ox < s.out_w; ++ox) {
        std::fill(acc.begin(), acc.end(), 0.0);
        accumulate_pixel(p, s, operands, image, oy, ox, acc.data());
        const int64_t y = ((n * s.out_h + oy) * s.out_w + ox) * s.out_c;
        const int64_t ry = oy / p.residual_upsample, rx = ox / p.residual_upsample;
        const int64_t r = ((n * s.residual_h + ry) * s.residual_w + rx) * s.out_c;
        for (int64_t o = 0; o < s.out_c; ++o) {
          double sum = acc[static_cast<size_t>(o)] * operands.factor(o);
          if (bias) sum += bias[o];
          if (call.has(kResidual)) sum += load_as_f32(call.in[kResidual], r + o);
          store_from_f32(call.out[0], y + o, static_cast<float>(activate(p.activation, sum)));
        }
      }
    }
  }
}

}  // namespace

extern const Kernel conv2d_ref;
const Kernel conv2d_ref = {.run = run, .also_takes = kTakesU8};

void visit(Conv2dParams& params, ParamVisitor& visitor) {
  visitor.field("stride", params.stride);
  visitor.field("padding", params.padding);
  visitor.field("dilation", params.dilation);
  visitor.field("groups", params.groups);
  visitor.field("residual_upsample", params.residual_upsample);
  visit_activation(params.activation, visitor);
  visit_output_type(params.output, visitor);
}

Status conv2d_infer(const Conv2dParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  const auto refuse = [](std::string what) { return error(ErrorId::E_MODEL_ARCH, "conv2d: " + what); };
  if (in.size() < 2 || in.size() > 4 || out.size() != 1) return refuse("needs 2 to 4 inputs and 1 output");
  const Shape &x = in[kX].shape, &w = in[kWeight].shape;
  if (x.rank != 4 || w.rank != 4) return refuse("input and weight must have rank 4");
  if (!is_activation(in[kX].dtype) || in[kWeight].dtype != DType::f32)
    return refuse("input must be f32, f16, bf16 or u8, weight f32");
  if (p.stride < 1 || p.padding < 0 || p.dilation < 1 || p.groups < 1 || !activation_valid(p.activation) ||
      (p.residual_upsample != 1 && p.residual_upsample != 2) || p.stride > 64 || p.dilation > 64 || p.padding > 4096) {
    return refuse("a parameter is out of range");
  }
  if (w[0] < 1 || w[1] < 1 || w[2] < 1 || w[3] < 1 || x[3] % p.groups != 0 || w[3] % p.groups != 0 ||
      w[2] != x[3] / p.groups) {
    return refuse("channels do not fit")
        .expected("weight with " + std::to_string(x[3] / p.groups) + " input channels", to_string(w));
  }
  const int64_t span_h = p.dilation * (w[0] - 1) + 1, span_w = p.dilation * (w[1] - 1) + 1;
  if (x[1] + 2 * p.padding < span_h || x[2] + 2 * p.padding < span_w) {
    return refuse("input " + to_string(x) + " is smaller than the kernel " + to_string(w));
  }
  // No tensor has more than kMaxElements: the product fits.
  if (in[kX].dtype == DType::u8 && w[0] * w[1] > kMaxIntegerSum / w[2])
    return refuse("sum too long for 8-bit integers");
  const Shape y{x[0], (x[1] + 2 * p.padding - span_h) / p.stride + 1, (x[2] + 2 * p.padding - span_w) / p.stride + 1,
                w[3]};
  for (size_t i = kBias; i < in.size(); ++i) {
    const bool any = i == kResidual && in[kX].dtype == DType::u8 && is_activation(in[i].dtype);
    const DType want = i == kResidual ? in[kX].dtype : DType::f32;
    if (in[i].present() && in[i].dtype != want && !any) {
      return refuse("bias must be f32, residual of the type of the input");
    }
  }
  if (in.size() > kBias && in[kBias].present() && in[kBias].shape != Shape{y[3]}) {
    return refuse("bias").expected(std::to_string(y[3]), to_string(in[kBias].shape));
  }
  if (in.size() > kResidual && in[kResidual].present()) {
    const int64_t up = p.residual_upsample;
    const Shape want{y[0], y[1] / up, y[2] / up, y[3]};
    if (in[kResidual].shape != want || y[1] % up != 0 || y[2] % up != 0) {
      return refuse("residual").expected(to_string(want), to_string(in[kResidual].shape));
    }
  }
  SPINERT_TRY(check_output_type("conv2d", p.output, in[kX].dtype, out[0].dtype));
  out[0].shape = y;
  out[0].count = in[kX].count;
  out[0].count_scale = in[kX].count_scale;
  return {};
}

Conv2dShape conv2d_shape(const OpCall& call) {
  const Shape &x = call.in[kX].shape, &w = call.in[kWeight].shape, &y = call.out[0].shape;
  const Shape r = call.has(kResidual) ? call.in[kResidual].shape : Shape{0, 0, 0, 0};
  return {x[0], x[1], x[2], x[3], w[0], w[1], y[1], y[2], y[3], r[1], r[2]};
}

Cost conv2d_cost(const OpCall& call) {
  const Conv2dShape s = conv2d_shape(call);
  Cost cost;
  const double per_output = double(s.kernel_h) * double(s.kernel_w) * double(call.in[kWeight].shape[2]);
  cost.flops = 2.0 * double(call.out[0].elements()) * per_output;
  for (const Tensor& t : call.in) cost.bytes += double(t.bytes());
  cost.bytes += double(call.out[0].bytes());
  return cost;
}

Tolerance conv2d_tolerance(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  const double k = double(w[0] * w[1] * w[2]);
  // A kernel may transform its operands (Winograd), which rounds values larger than the terms: of the 16.8 million
  // outputs of 256 -> 256 at 256x256 the worst was 1.14 times the bound of the plain sum.
  const double transforms = w[0] == 3 && w[1] == 3 ? 2 : 1;
  double bound = transforms * dot_tolerance(k, max_abs(call.in[kX]), max_abs(call.in[kWeight]));
  for (size_t i = kBias; i < call.in.size(); ++i) bound += dot_tolerance(1, max_abs(call.in[i]), 1);
  return {.absolute = bound, .relative = 0};
}

}  // namespace spinert
