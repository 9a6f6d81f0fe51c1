// place_ref.cpp - the definition of place: a copy of rows. The cpu row is the same code; a megapixel takes a fraction
// of a millisecond.
#include <algorithm>
#include <cstring>

#include "kernels/base/infer.h"
#include "kernels/place/place.h"

namespace spinert {
namespace {

constexpr int64_t kMaxSide = 16384;

void run(const OpCall& call, const RunContext&) {
  const int64_t size = call.as<PlaceParams>().size;
  const int64_t height = call.in[0].shape[1], width = call.in[0].shape[2];
  const int64_t from_y = std::max<int64_t>(0, (height - size) / 2), from_x = std::max<int64_t>(0, (width - size) / 2);
  const int64_t to_y = std::max<int64_t>(0, (size - height) / 2), to_x = std::max<int64_t>(0, (size - width) / 2);
  const int64_t rows = std::min(height, size), columns = std::min(width, size);
  const float* slice = call.in[0].f32();
  float* canvas = call.out[0].f32();
  std::fill(canvas, canvas + size * size, 0.0f);
  for (int64_t y = 0; y < rows; ++y) {
    std::memcpy(canvas + (to_y + y) * size + to_x, slice + (from_y + y) * width + from_x,
                static_cast<size_t>(columns) * sizeof(float));
  }
}

}  // namespace

extern const Kernel place_ref, place_scalar;
const Kernel place_ref = {.run = run};
const Kernel place_scalar = {.run = run};

void visit(PlaceParams& params, ParamVisitor& visitor) {
  visitor.field("size", params.size);
}

Status place_infer(const PlaceParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("place", in, out, 1, 1, 1));
  SPINERT_TRY(check_input("place", "slice", in[0], DType::f32, 4));
  if (p.size < 1 || p.size > kMaxSide) {
    return refuse_arch("place", "a parameter is out of range")
        .expected("size from 1 to " + std::to_string(kMaxSide), std::to_string(p.size));
  }
  if (in[0].shape[0] != 1 || in[0].shape[3] != 1) {
    return refuse_arch("place", "slice").expected("[1,h,w,1]", to_string(in[0].shape));
  }
  return set_output("place", out[0], DType::f32, Shape{1, p.size, p.size, 1});
}

Cost place_cost(const OpCall& call) {
  return {.flops = 0, .bytes = call_bytes(call)};
}

Tolerance place_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
