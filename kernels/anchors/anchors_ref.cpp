// anchors_ref.cpp - the definition of anchors. It runs once per plan, so the cpu row is the same code.
#include "kernels/anchors/anchor_box.h"
#include "kernels/anchors/anchors.h"
#include "kernels/base/infer.h"

namespace spinert {
namespace {

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<AnchorsParams>();
  const Shape& canvas = call.in[0].shape;
  const size_t levels = call.in.size() - 1, per_level = p.sizes.size() / levels;
  float* out = call.out[0].f32();
  for (size_t level = 0; level < levels; ++level) {
    const Shape& feature = call.in[level + 1].shape;
    const int64_t stride_y = canvas[1] / feature[1], stride_x = canvas[2] / feature[2];
    for (int64_t y = 0; y < feature[1]; ++y) {
      for (int64_t x = 0; x < feature[2]; ++x) {
        for (const double ratio : p.ratios) {
          for (size_t s = 0; s < per_level; ++s) {
            const Box box = anchor_box(p.sizes[level * per_level + s], ratio, x * stride_x, y * stride_y);
            *out++ = box.x1;
            *out++ = box.y1;
            *out++ = box.x2;
            *out++ = box.y2;
          }
        }
      }
    }
  }
}

bool all_positive(const std::vector<double>& values) {
  for (const double v : values) {
    if (!(v > 0) || v > 1e6) return false;
  }
  return true;
}

}  // namespace

extern const Kernel anchors_ref, anchors_scalar;
// Of the maps they read the shapes alone.
const Kernel anchors_ref = {.run = run, .also_takes = kTakesBf16 | kTakesU8};
const Kernel anchors_scalar = {.run = run, .also_takes = kTakesBf16 | kTakesU8};

void visit(AnchorsParams& params, ParamVisitor& visitor) {
  visitor.field("sizes", params.sizes);
  visitor.field("ratios", params.ratios);
}

Status anchors_infer(const AnchorsParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("anchors", in, out, 2, kAnchorLevels + 1, 1));
  const size_t levels = in.size() - 1;
  if (p.sizes.empty() || p.sizes.size() > kAnchorSizes || p.sizes.size() % levels != 0 || p.ratios.empty() ||
      p.ratios.size() > kAnchorRatios || !all_positive(p.sizes) || !all_positive(p.ratios)) {
    return refuse_arch("anchors", "sizes and ratios must be positive, sizes equally many on each of " +
                                      std::to_string(levels) + " levels");
  }
  SPINERT_TRY(check_activation("anchors", "canvas", in[0], 4));
  const Shape& canvas = in[0].shape;
  const auto per_pixel = static_cast<int64_t>(p.sizes.size() / levels * p.ratios.size());
  int64_t total = 0;
  for (size_t level = 0; level < levels; ++level) {
    SPINERT_TRY(check_activation("anchors", "a feature map", in[level + 1], 4));
    const Shape& f = in[level + 1].shape;
    if (f[1] < 1 || f[2] < 1 || f[1] > canvas[1] || f[2] > canvas[2]) {
      return refuse_arch("anchors", "a feature map does not fit the canvas")
          .expected("1 to " + to_string(canvas), to_string(f));
    }
    // Each factor is below 2^31 and the bound is checked before the next addition: no overflow.
    const auto pixels = checked_mul(f[1], f[2]);
    const auto boxes = pixels ? checked_mul(*pixels, per_pixel) : std::nullopt;
    if (!boxes || *boxes > kMaxElements) return refuse_arch("anchors", "too many anchors");
    total += *boxes;
  }
  return set_output("anchors", out[0], DType::f32, Shape{total, 4});
}

Cost anchors_cost(const OpCall& call) {
  return {.flops = double(call.out[0].elements()), .bytes = double(call.out[0].bytes())};
}

Tolerance anchors_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
