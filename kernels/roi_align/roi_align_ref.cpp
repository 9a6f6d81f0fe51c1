// roi_align_ref.cpp - the definition of roi_align: float32 positions, double sums; and the plan of a region, which
// every CPU kernel shares, so that level choice and positions are equal bit for bit, with the order of the regions.
#include <algorithm>
#include <cmath>

#include "kernels/base/epilogue.h"
#include "kernels/base/half.h"
#include "kernels/base/infer.h"
#include "kernels/roi_align/roi_align.h"

namespace spinert {
namespace {

enum Input { kRois, kFeatures };

void make_taps(const RoiAlignParams& p, const RoiAxis& axis, int64_t extent, RoiTap* taps) {
  for (int64_t b = 0; b < p.output_size; ++b) {
    for (int64_t i = 0; i < p.sampling_ratio; ++i) *taps++ = roi_align_tap(axis, b, i, p.sampling_ratio, extent);
  }
}

double sample(const Tensor& feature, const RoiTap& y, const RoiTap& x, int64_t c) {
  if (!y.inside || !x.inside) return 0;
  const Shape& f = feature.shape;
  const auto at = [&](int32_t row, int32_t column) {
    return double(load_as_f32(feature, (row * f[2] + column) * f[3] + c));
  };
  return double(y.weight_low) * double(x.weight_low) * at(y.low, x.low) +
         double(y.weight_low) * double(x.weight_high) * at(y.low, x.high) +
         double(y.weight_high) * double(x.weight_low) * at(y.high, x.low) +
         double(y.weight_high) * double(x.weight_high) * at(y.high, x.high);
}

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<RoiAlignParams>();
  const int64_t rois = call.in[kRois].rows(), channels = call.out[0].shape[3], s = p.sampling_ratio;
  RoiPlan plan;
  int64_t out = 0;
  for (int64_t r = 0; r < rois; ++r) {
    roi_align_plan(call, r, plan);
    const Tensor& feature = call.in[static_cast<size_t>(kFeatures + plan.level)];
    for (int64_t by = 0; by < p.output_size; ++by) {
      for (int64_t bx = 0; bx < p.output_size; ++bx) {
        for (int64_t c = 0; c < channels; ++c) {
          double sum = 0;
          for (int64_t i = 0; plan.valid && i < s * s; ++i) {
            sum += sample(feature, plan.y[by * s + i / s], plan.x[bx * s + i % s], c);
          }
          store_from_f32(call.out[0], out++, static_cast<float>(sum / double(s * s)));
        }
      }
    }
  }
}

}  // namespace

extern const Kernel roi_align_ref;
const Kernel roi_align_ref = {.run = run, .also_takes = kTakesU8};

RoiLevels roi_align_levels(const RoiAlignParams& p, int levels) {
  RoiLevels result{.count = levels, .boundary = {}};
  for (int l = 1; l < levels; ++l) {
    const auto above = static_cast<double>(p.min_level + l - p.canonical_level);
    result.boundary[l] = static_cast<float>(static_cast<double>(p.canonical_scale) * std::exp2(above - 1e-6));
  }
  return result;
}

int roi_align_level(const RoiAlignParams& p, int levels, const Box& roi) {
  return roi_align_level(roi_align_levels(p, levels), roi);
}

void roi_align_plan(const OpCall& call, int64_t roi, RoiPlan& plan) {
  const auto& p = call.as<RoiAlignParams>();
  const float* corner = call.in[kRois].f32() + roi * 4;
  const Box box{corner[0], corner[1], corner[2], corner[3]};
  plan.valid = is_finite(box);
  plan.level = plan.valid ? roi_align_level(p, static_cast<int>(call.in.size()) - 1, box) : 0;
  if (!plan.valid) return;
  const Shape& f = call.in[static_cast<size_t>(kFeatures + plan.level)].shape;
  const float scale = static_cast<float>(f[1]) / static_cast<float>(p.canvas);
  make_taps(p, roi_align_axis(box.x1, box.x2, scale, p.output_size), f[2], plan.x);
  make_taps(p, roi_align_axis(box.y1, box.y2, scale, p.output_size), f[1], plan.y);
}

void roi_align_order(const OpCall& call, uint64_t* order) {
  constexpr int kLevelBit = 56, kRowBit = 32;
  const auto& p = call.as<RoiAlignParams>();
  const RoiLevels levels = roi_align_levels(p, static_cast<int>(call.in.size()) - 1);
  const int64_t rois = call.in[kRois].rows();
  for (int64_t r = 0; r < rois; ++r) {
    const float* corner = call.in[kRois].f32() + r * 4;
    const Box box{corner[0], corner[1], corner[2], corner[3]};
    const auto level = static_cast<uint64_t>(is_finite(box) ? roi_align_level(levels, box) : 0);
    // Operands in this order turn NaN into 0; a side is at most 2^24.
    const float middle = box_min(box_max(box.y1 * 0.5f + box.y2 * 0.5f, 0.0f), static_cast<float>(p.canvas));
    order[r] = level << kLevelBit | static_cast<uint64_t>(middle) << kRowBit | static_cast<uint64_t>(r);
  }
  std::sort(order, order + rois);
}

int64_t roi_align_order_bytes(const OpCall& call, int) {
  return call.in[kRois].shape[0] * int64_t{sizeof(uint64_t)};
}

void visit(RoiAlignParams& params, ParamVisitor& visitor) {
  visitor.field("output_size", params.output_size);
  visitor.field("sampling_ratio", params.sampling_ratio);
  visitor.field("canonical_scale", params.canonical_scale);
  visitor.field("canonical_level", params.canonical_level);
  visitor.field("min_level", params.min_level);
  visitor.field("canvas", params.canvas);
}

Status roi_align_infer(const RoiAlignParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  constexpr const char* kOp = "roi_align";
  constexpr int64_t kMaxSide = 1 << 24;  // taps are int32, and whole pixels exact in float
  constexpr int64_t kMaxLevel = 64;      // two comparisons, not abs(): that of the lowest integer overflows
  SPINERT_TRY(check_arity(kOp, in, out, 2, kRoiAlignMaxLevels + 1, 1));
  SPINERT_TRY(check_input(kOp, "rois", in[kRois], DType::f32, 2));
  if (in[kRois].shape[1] != 4) return refuse_arch(kOp, "rois").expected("[R,4]", to_string(in[kRois].shape));
  if (p.output_size < 1 || p.output_size > kRoiAlignMaxOutput || p.sampling_ratio < 1 ||
      p.sampling_ratio > kRoiAlignMaxSampling || p.canonical_scale < 1 || p.canonical_scale > kMaxSide ||
      p.canonical_level < -kMaxLevel || p.canonical_level > kMaxLevel || p.min_level < -kMaxLevel ||
      p.min_level > kMaxLevel || p.canvas < 1 || p.canvas > kMaxSide) {
    return refuse_arch(kOp, "a parameter is out of range");
  }
  for (const TensorType& feature : in.subspan(kFeatures)) {
    SPINERT_TRY(check_activation(kOp, "a feature map", feature, 4));
    SPINERT_TRY(check_input(kOp, "a feature map", feature, in[kFeatures].dtype, 4));
    const Shape& f = feature.shape;
    if (f[0] != 1 || f[1] < 1 || f[2] < 1 || f[1] > kMaxSide || f[2] > kMaxSide || f[3] != in[kFeatures].shape[3]) {
      return refuse_arch(kOp, "a feature map")
          .expected("[1,H,W," + std::to_string(in[kFeatures].shape.last()) + "]", to_string(f));
    }
  }
  const Shape y{in[kRois].shape[0], p.output_size, p.output_size, in[kFeatures].shape[3]};
  return set_output(kOp, out[0], in[kFeatures].dtype, y, in[kRois].count, in[kRois].count_scale);
}

Cost roi_align_cost(const OpCall& call) {
  const auto& p = call.as<RoiAlignParams>();
  const double taps = 4.0 * double(p.sampling_ratio * p.sampling_ratio) * double(call.out[0].elements());
  return {.flops = 2 * taps, .bytes = call_bytes(call)};
}

// Per output 4 S^2 products whose weights sum to at most S^2, divided by S^2; weights are products of two rounded
// floats.
Tolerance roi_align_tolerance(const OpCall& call) {
  const double samples = double(call.as<RoiAlignParams>().sampling_ratio * call.as<RoiAlignParams>().sampling_ratio);
  double largest = 0;
  for (const Tensor& feature : call.in.subspan(kFeatures)) largest = std::max(largest, max_abs(feature));
  return {.absolute = dot_tolerance(4 * samples + 4, largest, 0.25), .relative = 0};
}

}  // namespace spinert
