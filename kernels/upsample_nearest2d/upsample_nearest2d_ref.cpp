// upsample_nearest2d_ref.cpp - the definition of upsample_nearest2d: plain loops.
#include "kernels/base/infer.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

namespace spinert {
namespace {

enum Input { kCoarse, kFine };

void run(const OpCall& call, const RunContext&) {
  const Shape& y = call.out[0].shape;
  const int64_t rows = call.in[kFine].rows();
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t oy = 0; oy < y[1]; ++oy) {
      for (int64_t ox = 0; ox < y[2]; ++ox) {
        const int64_t fine = ((n * y[1] + oy) * y[2] + ox) * y[3];
        const int64_t coarse = ((n * (y[1] / 2) + oy / 2) * (y[2] / 2) + ox / 2) * y[3];
        for (int64_t c = 0; c < y[3]; ++c) {
          const double sum = double(call.in[kFine].f32()[fine + c]) + double(call.in[kCoarse].f32()[coarse + c]);
          call.out[0].f32()[fine + c] = static_cast<float>(sum);
        }
      }
    }
  }
}

}  // namespace

extern const Kernel upsample_nearest2d_ref;
const Kernel upsample_nearest2d_ref = {.run = run};

void visit(UpsampleNearest2dParams&, ParamVisitor&) {}

Status upsample_nearest2d_infer(const UpsampleNearest2dParams&, std::span<const TensorType> in,
                                std::span<TensorType> out) {
  SPINERT_TRY(check_arity("upsample_nearest2d", in, out, 2, 2, 1));
  SPINERT_TRY(check_activation("upsample_nearest2d", "coarse", in[kCoarse], 4));
  SPINERT_TRY(check_input("upsample_nearest2d", "fine", in[kFine], in[kCoarse].dtype, 4));
  const Shape &c = in[kCoarse].shape, &f = in[kFine].shape;
  if (f[0] != c[0] || f[1] % 2 != 0 || f[2] % 2 != 0 || f[1] / 2 != c[1] || f[2] / 2 != c[2] || f[3] != c[3]) {
    return refuse_arch("upsample_nearest2d", "fine must be twice coarse")
        .expected("twice " + to_string(c), to_string(f));
  }
  return set_like("upsample_nearest2d", out[0], in[kFine]);
}

Cost upsample_nearest2d_cost(const OpCall& call) {
  return {.flops = double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance upsample_nearest2d_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
