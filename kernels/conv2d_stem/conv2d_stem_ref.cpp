// conv2d_stem_ref.cpp - the definition of conv2d_stem (plain loops, double accumulation) and the fold that makes its
// operands from a three-channel convolution.
#include <algorithm>
#include <vector>

#include "kernels/base/half.h"
#include "kernels/base/infer.h"
#include "kernels/conv2d_stem/conv2d_stem.h"

namespace spinert {
namespace {

enum Input { kGrey, kWeight, kBorder };

struct Axis {
  StemClasses classes;
  int64_t in, out, kernel;
};

Axis axis(const OpCall& call, int dim) {
  const auto& p = call.as<Conv2dStemParams>();
  const int64_t in = call.in[kGrey].shape[dim], out = call.out[0].shape[dim], kernel = call.in[kWeight].shape[dim - 1];
  return {stem_classes(in, out, kernel, p.stride, p.padding), in, out, kernel};
}

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<Conv2dStemParams>();
  const Axis rows = axis(call, 1), columns = axis(call, 2);
  const int64_t out_c = call.out[0].shape[3];
  std::vector<double> acc(static_cast<size_t>(out_c));
  for (int64_t n = 0; n < call.in[kGrey].rows(); ++n) {
    const float* image = call.in[kGrey].f32() + n * rows.in * columns.in;
    for (int64_t oy = 0; oy < rows.out; ++oy) {
      for (int64_t ox = 0; ox < columns.out; ++ox) {
        std::fill(acc.begin(), acc.end(), 0.0);
        for (int64_t i = 0; i < rows.kernel; ++i) {
          for (int64_t j = 0; j < columns.kernel; ++j) {
            const int64_t y = oy * p.stride + i - p.padding, x = ox * p.stride + j - p.padding;
            if (y < 0 || y >= rows.in || x < 0 || x >= columns.in) continue;
            const double value = image[y * columns.in + x];
            const float* w = call.in[kWeight].f32() + (i * columns.kernel + j) * out_c;
            for (int64_t o = 0; o < out_c; ++o) acc[static_cast<size_t>(o)] += value * w[o];
          }
        }
        const int64_t cell = rows.classes.of(oy) * columns.classes.count + columns.classes.of(ox);
        const float* border = call.in[kBorder].f32() + cell * out_c;
        const int64_t y = ((n * rows.out + oy) * columns.out + ox) * out_c;
        for (int64_t o = 0; o < out_c; ++o) {
          const double sum = activate(p.activation, acc[static_cast<size_t>(o)] + border[o]);
          store_from_f32(call.out[0], y + o, static_cast<float>(sum));
        }
      }
    }
  }
}

}  // namespace

extern const Kernel conv2d_stem_ref;
const Kernel conv2d_stem_ref = {.run = run, .also_takes = kTakesU8};

void visit(Conv2dStemParams& params, ParamVisitor& visitor) {
  visitor.field("stride", params.stride);
  visitor.field("padding", params.padding);
  visit_activation(params.activation, visitor);
  visit_output_type(params.output, visitor);
}

StemClasses stem_classes(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
  // Position o reads [o*stride - padding, o*stride - padding + kernel).
  const int64_t leading = std::min(out, (padding + stride - 1) / stride);
  const int64_t last_whole = in + padding - kernel < 0 ? -1 : (in + padding - kernel) / stride;
  const int64_t trailing_begin = std::clamp(last_whole + 1, leading, out);
  return {leading, trailing_begin, leading + 1 + (out - trailing_begin)};
}

Status conv2d_stem_infer(const Conv2dStemParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  const auto refuse = [](std::string what) { return error(ErrorId::E_MODEL_ARCH, "conv2d_stem: " + what); };
  if (in.size() != 3 || out.size() != 1) return refuse("needs 3 inputs and 1 output");
  for (const TensorType& type : in) {
    if (type.dtype != DType::f32) return refuse("all inputs must be f32");
  }
  const Shape &x = in[kGrey].shape, &w = in[kWeight].shape;
  if (x.rank != 4 || x[3] != 1 || w.rank != 4 || w[2] != 1) return refuse("needs one input channel");
  if (p.stride < 1 || p.stride > 64 || p.padding < 0 || p.padding > 64 || !activation_valid(p.activation)) {
    return refuse("a parameter is out of range");
  }
  if (w[0] < 1 || w[1] < 1 || w[3] < 1 || x[1] + 2 * p.padding < w[0] || x[2] + 2 * p.padding < w[1]) {
    return refuse("input " + to_string(x) + " is smaller than the kernel " + to_string(w));
  }
  const Shape y{x[0], (x[1] + 2 * p.padding - w[0]) / p.stride + 1, (x[2] + 2 * p.padding - w[1]) / p.stride + 1, w[3]};
  const Shape border{stem_classes(x[1], y[1], w[0], p.stride, p.padding).count,
                     stem_classes(x[2], y[2], w[1], p.stride, p.padding).count, y[3]};
  if (in[kBorder].shape != border) return refuse("border").expected(to_string(border), to_string(in[kBorder].shape));
  SPINERT_TRY(check_output_type("conv2d_stem", p.output, DType::f32, out[0].dtype));
  out[0].shape = y;
  out[0].count = in[kGrey].count;
  out[0].count_scale = in[kGrey].count_scale;
  return {};
}

Cost conv2d_stem_cost(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  Cost cost;
  cost.flops = 2.0 * double(call.out[0].elements()) * double(w[0] * w[1]);
  for (const Tensor& t : call.in) cost.bytes += double(t.bytes());
  cost.bytes += double(call.out[0].bytes());
  return cost;
}

Tolerance conv2d_stem_tolerance(const OpCall& call) {
  const Shape& w = call.in[kWeight].shape;
  return {.absolute = dot_tolerance(double(w[0] * w[1]), max_abs(call.in[kGrey]), max_abs(call.in[kWeight])) +
                      dot_tolerance(1, max_abs(call.in[kBorder]), 1),
          .relative = 0};
}

void conv2d_stem_fold(const Tensor& weight_in, const Tensor& bias, std::span<const double> mean,
                      std::span<const double> std, const StemClasses& rows, const StemClasses& columns, int64_t in_h,
                      int64_t in_w, int64_t stride, int64_t padding, const Tensor& weight, const Tensor& border) {
  const Shape& s = weight_in.shape;
  const int64_t taps = s[0] * s[1], in_c = s[2], out_c = s[3];
  // offset[tap][o]: what one tap adds for the mean, if it lies inside the picture.
  std::vector<double> offset(static_cast<size_t>(taps * out_c), 0.0);
  for (int64_t tap = 0; tap < taps; ++tap) {
    for (int64_t o = 0; o < out_c; ++o) {
      double folded = 0;
      for (int64_t c = 0; c < in_c; ++c) {
        const double w = weight_in.f32()[(tap * in_c + c) * out_c + o], sd = std[static_cast<size_t>(c)];
        folded += w / (255.0 * sd);
        offset[static_cast<size_t>(tap * out_c + o)] -= w * mean[static_cast<size_t>(c)] / sd;
      }
      weight.f32()[tap * out_c + o] = static_cast<float>(folded);
    }
  }
  // The output position that stands for a class.
  const auto position = [](const StemClasses& classes, int64_t index) {
    return index <= classes.leading ? index : classes.trailing_begin + index - classes.leading - 1;
  };
  for (int64_t r = 0; r < rows.count; ++r) {
    for (int64_t c = 0; c < columns.count; ++c) {
      const int64_t y0 = position(rows, r) * stride - padding, x0 = position(columns, c) * stride - padding;
      for (int64_t o = 0; o < out_c; ++o) {
        double sum = bias.present() ? bias.f32()[o] : 0.0;
        for (int64_t i = 0; i < s[0]; ++i) {
          for (int64_t j = 0; j < s[1]; ++j) {
            const bool inside = y0 + i >= 0 && y0 + i < in_h && x0 + j >= 0 && x0 + j < in_w;
            if (inside) sum += offset[static_cast<size_t>((i * s[1] + j) * out_c + o)];
          }
        }
        border.f32()[(r * columns.count + c) * out_c + o] = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace spinert
