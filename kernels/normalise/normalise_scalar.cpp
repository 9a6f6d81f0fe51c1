// normalise_scalar.cpp - backend cpu: one multiplication and one addition per value, constants folded in double.
#include <array>

#include "kernels/base/infer.h"
#include "kernels/normalise/normalise.h"

namespace spinert {
namespace {

constexpr size_t kMaxChannels = 16;  // as in normalise_infer

void run(const OpCall& call, const RunContext& context) {
  const auto& p = call.as<NormaliseParams>();
  const size_t channels = p.mean.size();
  std::array<float, kMaxChannels> scale{}, shift{};
  for (size_t c = 0; c < channels; ++c) {
    scale[c] = static_cast<float>(1.0 / (255.0 * p.std[c]));
    shift[c] = static_cast<float>(-p.mean[c] / p.std[c]);
  }
  const float* x = call.in[0].f32();
  float* out = call.out[0].f32();
  context.pool->run(elements_in_use(call.in[0]), [&](WorkRange range) {
    float* y = out + range.begin * static_cast<int64_t>(channels);
    for (int64_t i = range.begin; i < range.end; ++i) {
      for (size_t c = 0; c < channels; ++c) *y++ = x[i] * scale[c] + shift[c];
    }
  });
}

}  // namespace

extern const Kernel normalise_scalar;
const Kernel normalise_scalar = {.run = run};

}  // namespace spinert
