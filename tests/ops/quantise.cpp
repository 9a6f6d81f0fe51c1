// Cases of quantise: tails around every vector width, scales and zeros, NaN and infinities, halves between two codes.
#include "kernels/quantise/quantise.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(DType::f32, {line.get("n", 1), line.get("h", 8), line.get("w", 8), line.get("c", 16)});
  fill(input.in[0].view(), line.word("data", "real"), static_cast<uint64_t>(line.get("seed", 1)));
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite quantise_suite;
const OpSuite quantise_suite = {
    {
        "quantise h=5 w=7 c=3 yscale=0.01 yzero=128",
        "quantise h=5 w=7 c=3 data=int yscale=2 yzero=100 seed=2",
        "quantise h=9 w=9 c=33 plant=special yscale=0.03 yzero=40 seed=3",
        "quantise h=16 w=16 c=64 yscale=0.004 seed=4",
        "quantise n=3 count=2 yscale=0.01 yzero=255 seed=5",
        "quantise n=3 count=99 yscale=0.01 seed=6",
        "quantise n=3 count=-5 yscale=0.01 seed=7",
        "quantise n=0 seed=8",
        "quantise c=0 seed=9",
    },
    build,
};

}  // namespace spinert::cases
