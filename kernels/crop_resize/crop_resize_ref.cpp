// crop_resize_ref.cpp - the definition of crop_resize: bilinear in double. Positions come from crop_geometry.h.
#include <cmath>

#include "kernels/base/epilogue.h"
#include "kernels/base/infer.h"
#include "kernels/crop_resize/crop_geometry.h"
#include "kernels/crop_resize/crop_resize.h"

namespace spinert {
namespace {

enum Input { kCanvas, kBoxes };
constexpr int64_t kMaxSize = 4096;

double pixel(const Tensor& canvas, int64_t y, int64_t x) {
  const int64_t height = canvas.shape[1], width = canvas.shape[2];
  if (y < 0 || x < 0 || y >= height || x >= width) return 0;
  return double(canvas.f32()[y * width + x]);
}

float sample(const Tensor& canvas, const CropTap& y, const CropTap& x) {
  if (y.low == kCropOutside || x.low == kCropOutside) return 0;
  const double fx = double(x.fraction), fy = double(y.fraction);
  const double top = (1 - fx) * pixel(canvas, y.low, x.low) + fx * pixel(canvas, y.low, x.low + 1);
  const double bottom = (1 - fx) * pixel(canvas, y.low + 1, x.low) + fx * pixel(canvas, y.low + 1, x.low + 1);
  return static_cast<float>((1 - fy) * top + fy * bottom);
}

void run(const OpCall& call, const RunContext&) {
  const auto& p = call.as<CropResizeParams>();
  const Tensor& canvas = call.in[kCanvas];
  const auto entries = static_cast<int64_t>(p.table.size() / 3);
  const int64_t patches = call.in[kBoxes].rows() * entries;
  float* out = call.out[0].f32();
  for (int64_t n = 0; n < patches; ++n) {
    const CropSquare square =
        crop_resize_square(p.table.data() + n % entries * 3, p.size, call.in[kBoxes].f32() + n / entries * 4);
    for (int64_t v = 0; v < p.size; ++v) {
      const CropTap y = crop_resize_tap(square.y0, square.step, v, canvas.shape[1]);
      for (int64_t u = 0; u < p.size; ++u) {
        const CropTap x = crop_resize_tap(square.x0, square.step, u, canvas.shape[2]);
        *out++ = square.valid ? sample(canvas, y, x) : 0.0f;
      }
    }
  }
}

}  // namespace

extern const Kernel crop_resize_ref;
const Kernel crop_resize_ref = {.run = run};

void visit(CropResizeParams& params, ParamVisitor& visitor) {
  visitor.field("size", params.size);
  visitor.field("table", params.table);
}

Status crop_resize_infer(const CropResizeParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  constexpr const char* kOp = "crop_resize";
  SPINERT_TRY(check_arity(kOp, in, out, 2, 2, 1));
  SPINERT_TRY(check_input(kOp, "canvas", in[kCanvas], DType::f32, 4));
  SPINERT_TRY(check_input(kOp, "boxes", in[kBoxes], DType::f32, 2));
  const Shape &canvas = in[kCanvas].shape, &boxes = in[kBoxes].shape;
  if (canvas[0] != 1 || canvas[3] != 1 || boxes[1] != 4 || canvas[1] > INT32_MAX - 2 || canvas[2] > INT32_MAX - 2) {
    return refuse_arch(kOp, "shapes").expected("[1,S,T,1] and [B,4]", to_string(canvas) + " and " + to_string(boxes));
  }
  const size_t entries = p.table.size() / 3;
  if (p.size < 1 || p.size > kMaxSize || entries < 1 || entries > kCropMaxEntries || p.table.size() % 3 != 0) {
    return refuse_arch(kOp, "a parameter is out of range")
        .expected("size 1 to 4096 and 1 to 64 triples scale,dx,dy",
                  std::to_string(p.size) + " and " + std::to_string(p.table.size()) + " numbers");
  }
  for (size_t i = 0; i < p.table.size(); ++i) {
    constexpr double kLimit = 1e6;
    if (!(std::abs(p.table[i]) <= kLimit) || (i % 3 == 0 && p.table[i] <= 0)) {
      return refuse_arch(kOp, "the table needs finite numbers and scales above 0, entry " + std::to_string(i / 3));
    }
  }
  const auto k = static_cast<int64_t>(entries);
  return set_output(kOp, out[0], DType::f32, Shape{boxes[0] * k, p.size, p.size, 1}, in[kBoxes].count,
                    in[kBoxes].count_scale * k);
}

Cost crop_resize_cost(const OpCall& call) {
  constexpr double kFlops = 9;  // three interpolations
  return {.flops = kFlops * double(call.out[0].elements()), .bytes = call_bytes(call)};
}

// Three interpolations, each two products and a sum of numbers of at most max|canvas|.
Tolerance crop_resize_tolerance(const OpCall& call) {
  return {.absolute = dot_tolerance(4, max_abs(call.in[kCanvas]), 1), .relative = 0};
}

}  // namespace spinert
