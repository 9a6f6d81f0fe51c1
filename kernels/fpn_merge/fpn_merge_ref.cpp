// fpn_merge_ref.cpp - the definition of fpn_merge (plain loops, double accumulation) and the fold that makes its
// operands from two convolutions.
#include <algorithm>
#include <vector>

#include "kernels/base/epilogue.h"
#include "kernels/base/infer.h"
#include "kernels/fpn_merge/fpn_merge.h"

namespace spinert {
namespace {

constexpr const char* kOp = "fpn_merge";

// acc[o] += x[c] * rows[c][o] for one pixel of a map; a pixel outside adds nothing.
void add_pixel(const float* map, const Shape& m, int64_t y, int64_t x, const float* rows, std::vector<double>& acc) {
  if (y < 0 || y >= m[1] || x < 0 || x >= m[2]) return;
  const auto outputs = static_cast<int64_t>(acc.size());
  for (int64_t c = 0; c < m[3]; ++c) {
    const double value = map[(y * m[2] + x) * m[3] + c];
    for (int64_t o = 0; o < outputs; ++o) acc[static_cast<size_t>(o)] += value * rows[c * outputs + o];
  }
}

void run(const OpCall& call, const RunContext&) {
  const Tensor &fine = call.in[kFpnFine], &coarse = call.in[kFpnCoarse];
  const Shape &f = fine.shape, &t = coarse.shape;
  const int64_t outputs = call.out[0].shape[3];
  const float* wc = call.in[kFpnWeight].f32();
  const float* k = wc + kFpnFineTaps * f[3] * outputs;
  std::vector<double> acc(static_cast<size_t>(outputs));
  for (int64_t pixel = 0; pixel < fine.rows() * f[1] * f[2]; ++pixel) {
    const int64_t n = pixel / (f[1] * f[2]), y = pixel / f[2] % f[1], x = pixel % f[2];
    std::fill(acc.begin(), acc.end(), 0.0);
    for (int64_t tap = 0; tap < kFpnFineTaps; ++tap) {
      add_pixel(fine.f32() + n * f[1] * f[2] * f[3], f, y + tap / 3 - 1, x + tap % 3 - 1, wc + tap * f[3] * outputs,
                acc);
    }
    const int64_t a = y % 2, b = x % 2;
    for (int64_t tap = 0; tap < kFpnCoarseTaps; ++tap) {
      const float* rows = k + ((2 * a + b) * kFpnCoarseTaps + tap) * t[3] * outputs;
      add_pixel(coarse.f32() + n * t[1] * t[2] * t[3], t, y / 2 + a - 1 + tap / 2, x / 2 + b - 1 + tap % 2, rows, acc);
    }
    const float* border =
        call.in[kFpnBorder].f32() + (fpn_merge_class(y, f[1]) * 3 + fpn_merge_class(x, f[2])) * outputs;
    for (int64_t o = 0; o < outputs; ++o) {
      call.out[0].f32()[pixel * outputs + o] = static_cast<float>(acc[static_cast<size_t>(o)] + border[o]);
    }
  }
}

// Taps [first, last] of the 3x3 kernel that fall on pixel r of the two that phase a reads along one axis.
struct Taps {
  int64_t first, last;
};
constexpr Taps kPhaseTaps[2][2] = {{{0, 0}, {1, 2}}, {{0, 1}, {2, 2}}};

}  // namespace

extern const Kernel fpn_merge_ref;
const Kernel fpn_merge_ref = {.run = run};

void visit(FpnMergeParams& params, ParamVisitor& visitor) {
  visit_output_type(params.output, visitor);
}

Status fpn_merge_infer(const FpnMergeParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity(kOp, in, out, 4, 4, 1));
  const TensorType &fine = in[kFpnFine], &coarse = in[kFpnCoarse], &weight = in[kFpnWeight];
  SPINERT_TRY(check_activation(kOp, "fine", fine, 4));
  SPINERT_TRY(check_input(kOp, "coarse", coarse, fine.dtype, 4));
  SPINERT_TRY(check_input(kOp, "weight", weight, DType::f32, 2));
  SPINERT_TRY(check_input(kOp, "border", in[kFpnBorder], DType::f32, 3));
  const Shape &f = fine.shape, &t = coarse.shape;
  if (t[0] != f[0] || t[1] < 1 || t[2] < 1 || f[1] != 2 * t[1] || f[2] != 2 * t[2]) {
    return refuse_arch(kOp, "coarse").expected("half the height and width of " + to_string(f), to_string(t));
  }
  if (f[3] < 1 || t[3] < 1 || weight.shape[1] < 1) return refuse_arch(kOp, "a map or the weight has no channels");
  if (f[3] > kMaxElements / kFpnFineTaps || t[3] > kMaxElements / (kFpnPhases * kFpnCoarseTaps) ||
      weight.shape[0] != fpn_merge_weight_rows(f[3], t[3])) {
    return refuse_arch(kOp, "weight")
        .expected("9 rows for each channel of fine and 16 for each of coarse", to_string(weight.shape));
  }
  const Shape border{3, 3, weight.shape[1]};
  if (in[kFpnBorder].shape != border) {
    return refuse_arch(kOp, "border").expected(to_string(border), to_string(in[kFpnBorder].shape));
  }
  DType output = DType::none;
  SPINERT_TRY(check_output_type(kOp, p.output, fine.dtype, output));
  return set_output(kOp, out[0], output, {f[0], f[1], f[2], weight.shape[1]}, fine.count, fine.count_scale);
}

Cost fpn_merge_cost(const OpCall& call) {
  const double products = double(kFpnFineTaps) * double(call.in[kFpnFine].shape[3]) +
                          double(kFpnCoarseTaps) * double(call.in[kFpnCoarse].shape[3]);
  return {.flops = 2 * double(call.out[0].elements()) * products, .bytes = call_bytes(call)};
}

Tolerance fpn_merge_tolerance(const OpCall& call) {
  const double products = double(kFpnFineTaps) * double(call.in[kFpnFine].shape[3]) +
                          double(kFpnCoarseTaps) * double(call.in[kFpnCoarse].shape[3]);
  const double largest = std::max(max_abs(call.in[kFpnFine]), max_abs(call.in[kFpnCoarse]));
  return {.absolute = dot_tolerance(products, largest, max_abs(call.in[kFpnWeight])) +
                      dot_tolerance(1, max_abs(call.in[kFpnBorder]), 1),
          .relative = 0};
}

void fpn_merge_fold(const Tensor& lateral, const Tensor& lateral_bias, const Tensor& smooth, const Tensor& smooth_bias,
                    const Tensor& weight, const Tensor& border) {
  const int64_t fine = lateral.shape[2], coarse = lateral.shape[3], outputs = smooth.shape[3];
  std::vector<double> acc(static_cast<size_t>(outputs));
  const auto add_row = [&](int64_t tap, int64_t c, double factor) {
    const float* row = smooth.f32() + (tap * coarse + c) * outputs;
    for (int64_t o = 0; o < outputs; ++o) acc[static_cast<size_t>(o)] += factor * row[o];
  };
  const auto store = [&](float* to) {
    for (int64_t o = 0; o < outputs; ++o) to[o] = static_cast<float>(acc[static_cast<size_t>(o)]);
  };
  float* to = weight.f32();
  for (int64_t row = 0; row < kFpnFineTaps * fine; ++row, to += outputs) {
    std::fill(acc.begin(), acc.end(), 0.0);
    for (int64_t c = 0; c < coarse; ++c) add_row(row / fine, c, lateral.f32()[row % fine * coarse + c]);
    store(to);
  }
  for (int64_t row = 0; row < kFpnPhases * kFpnCoarseTaps * coarse; ++row, to += outputs) {
    const int64_t c = row % coarse, tap = row / coarse % kFpnCoarseTaps, phase = row / coarse / kFpnCoarseTaps;
    const Taps ys = kPhaseTaps[phase / 2][tap / 2], xs = kPhaseTaps[phase % 2][tap % 2];
    std::fill(acc.begin(), acc.end(), 0.0);
    for (int64_t i = ys.first; i <= ys.last; ++i) {
      for (int64_t j = xs.first; j <= xs.last; ++j) add_row(3 * i + j, c, 1);
    }
    store(to);
  }
  for (int64_t cell = 0; cell < 9; ++cell) {
    // The first row lacks the taps above it, the last one those below.
    const auto inside = [](int64_t at, int64_t tap) { return !(at == 0 && tap == 0) && !(at == 2 && tap == 2); };
    for (int64_t o = 0; o < outputs; ++o)
      acc[static_cast<size_t>(o)] = smooth_bias.present() ? smooth_bias.f32()[o] : 0;
    for (int64_t tap = 0; lateral_bias.present() && tap < kFpnFineTaps; ++tap) {
      if (!inside(cell / 3, tap / 3) || !inside(cell % 3, tap % 3)) continue;
      for (int64_t c = 0; c < coarse; ++c) add_row(tap, c, lateral_bias.f32()[c]);
    }
    store(border.f32() + cell * outputs);
  }
}

}  // namespace spinert
