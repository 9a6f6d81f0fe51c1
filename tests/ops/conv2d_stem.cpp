// Cases of conv2d_stem: odd and even sizes (other border classes at the end), partial pixel tiles and channel panels, a
// NaN that must reach the outputs of its windows and no other.
#include "kernels/conv2d_stem/conv2d_stem.h"

#include <limits>

#include "kernels/base/half.h"
#include "tests/ops/op_case.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  auto& p = *static_cast<Conv2dStemParams*>(input.params.get());
  // The picture stays f32; half is what comes out, and what the weights are rounded to.
  if (line.activations() != DType::f32) p.output = line.activations();
  const int64_t n = line.get("n", 1), h = line.get("h", 32), w = line.get("w", h), k = line.get("k", 7);
  const int64_t o = line.get("o", 64), count = line.get("count", -1);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string data = line.word("data", "int");
  input.exact = data == "int";
  const int64_t oh = (h + 2 * p.padding - k) / p.stride + 1, ow = (w + 2 * p.padding - k) / p.stride + 1;
  input.add(DType::f32, {n, h, w, 1});
  input.add(DType::f32, {k, k, 1, o});
  input.add(DType::f32,
            {stem_classes(h, oh, k, p.stride, p.padding).count, stem_classes(w, ow, k, p.stride, p.padding).count, o});
  for (size_t i = 0; i < 3; ++i) fill(input.in[i].view(), data, seed + i);
  if (const int64_t at = line.get("nan_at", -1); at >= 0) {
    input.in[0].view().f32()[at] = std::numeric_limits<float>::quiet_NaN();
  }
  if (count >= 0) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite conv2d_stem_suite;
const OpSuite conv2d_stem_suite = {
    {
        "conv2d_stem h=32",
        "conv2d_stem dtype=u8 h=32 activation=relu yscale=0.5 seed=2",
        "conv2d_stem dtype=u8 h=21 w=19 o=70 data=real yscale=0.03 yzero=128 seed=3",
        "conv2d_stem h=33 w=31 activation=relu seed=2",
        "conv2d_stem h=7 w=7 o=5 seed=3",
        "conv2d_stem h=3 w=4 o=17 activation=relu seed=4",
        "conv2d_stem h=20 w=45 k=3 stride=1 padding=1 o=40 seed=5",
        "conv2d_stem h=9 w=9 k=3 stride=3 padding=0 o=16 seed=6",
        "conv2d_stem n=3 h=16 o=70 count=2 seed=7",
        "conv2d_stem n=2 h=16 o=16 count=0 seed=8",
        "conv2d_stem h=64 w=50 data=real activation=relu seed=9",
        "conv2d_stem h=21 w=69 o=24 data=real activation=relu6 seed=10",
        "conv2d_stem h=17 w=66 o=136 seed=11",
        "conv2d_stem n=2 h=35 w=9 o=8 data=real activation=sigmoid count=1 seed=12",
        "conv2d_stem n=2 h=12 o=10 padding=0 count=5 seed=13",
        // One NaN at row 10, column 20: also the place behind the window of a pixel and the row below it.
        "conv2d_stem h=20 w=70 o=40 activation=relu nan_at=720 seed=14",
        "conv2d_stem h=20 w=21 o=8 data=real padding=2 nan_at=0 seed=15",
        // Weights as they are, not rounded to a half type.
        "conv2d_stem h=37 w=70 o=64 data=real output=f16 seed=16",
    },
    build,
    true,
};

}  // namespace spinert::cases
