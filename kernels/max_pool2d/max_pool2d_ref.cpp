// max_pool2d_ref.cpp - the definition of max_pool2d: plain loops.
#include <limits>

#include "kernels/base/infer.h"
#include "kernels/max_pool2d/max_pool2d.h"

namespace spinert {
namespace {

constexpr int64_t kMaxKernel = 64;

template <class T>
T window_max(const Tensor& x, const MaxPool2dParams& p, int64_t n, int64_t oy, int64_t ox, int64_t c) {
  const int64_t height = x.shape[1], width = x.shape[2], channels = x.shape[3];
  using Limits = std::numeric_limits<T>;
  T largest = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  for (int64_t i = 0; i < p.kernel; ++i) {
    const int64_t iy = oy * p.stride + i - p.padding;
    if (iy < 0 || iy >= height) continue;
    for (int64_t j = 0; j < p.kernel; ++j) {
      const int64_t ix = ox * p.stride + j - p.padding;
      if (ix < 0 || ix >= width) continue;
      const T value = x.as<T>()[((n * height + iy) * width + ix) * channels + c];
      if (value > largest || value != value) largest = value;  // once NaN, no comparison replaces it but another NaN
    }
  }
  return largest;
}

template <class T>
void pool(const OpCall& call) {
  const auto& p = call.as<MaxPool2dParams>();
  const Shape& y = call.out[0].shape;
  const int64_t rows = call.in[0].rows();
  T* out = call.out[0].as<T>();
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t oy = 0; oy < y[1]; ++oy) {
      for (int64_t ox = 0; ox < y[2]; ++ox) {
        for (int64_t c = 0; c < y[3]; ++c) *out++ = window_max<T>(call.in[0], p, n, oy, ox, c);
      }
    }
  }
}

void run(const OpCall& call, const RunContext&) {
  if (call.in[0].dtype == DType::u8) {
    pool<uint8_t>(call);
  } else {
    pool<float>(call);
  }
}

}  // namespace

extern const Kernel max_pool2d_ref;
const Kernel max_pool2d_ref = {.run = run, .also_takes = kTakesU8};

void visit(MaxPool2dParams& params, ParamVisitor& visitor) {
  visitor.field("kernel", params.kernel);
  visitor.field("stride", params.stride);
  visitor.field("padding", params.padding);
}

Status max_pool2d_infer(const MaxPool2dParams& p, std::span<const TensorType> in, std::span<TensorType> out) {
  SPINERT_TRY(check_arity("max_pool2d", in, out, 1, 1, 1));
  SPINERT_TRY(check_activation("max_pool2d", "x", in[0], 4));
  if (p.kernel < 1 || p.kernel > kMaxKernel || p.stride < 1 || p.stride > kMaxKernel || p.padding < 0 ||
      p.padding > p.kernel / 2) {
    return refuse_arch("max_pool2d", "a parameter is out of range")
        .expected("kernel and stride 1 to 64, padding 0 to kernel / 2", "kernel " + std::to_string(p.kernel) +
                                                                            ", stride " + std::to_string(p.stride) +
                                                                            ", padding " + std::to_string(p.padding));
  }
  const Shape& x = in[0].shape;
  // Without a pixel along an axis a window could hold padding alone.
  if (x[1] < 1 || x[2] < 1 || x[1] + 2 * p.padding < p.kernel || x[2] + 2 * p.padding < p.kernel) {
    return refuse_arch("max_pool2d", "input is smaller than the window")
        .expected("at least " + std::to_string(p.kernel - 2 * p.padding), to_string(x));
  }
  const Shape y{x[0], (x[1] + 2 * p.padding - p.kernel) / p.stride + 1,
                (x[2] + 2 * p.padding - p.kernel) / p.stride + 1, x[3]};
  out[0].quantisation = in[0].quantisation;
  return set_output("max_pool2d", out[0], in[0].dtype, y, in[0].count, in[0].count_scale);
}

Cost max_pool2d_cost(const OpCall& call) {
  const auto& p = call.as<MaxPool2dParams>();
  return {.flops = double(p.kernel * p.kernel) * double(call.out[0].elements()), .bytes = call_bytes(call)};
}

Tolerance max_pool2d_tolerance(const OpCall&) {
  return {};
}

}  // namespace spinert
