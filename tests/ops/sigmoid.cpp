// Cases of sigmoid: bit-equal everywhere, also for NaN, infinities and empty tensors.
#include "kernels/sigmoid/sigmoid.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(DType::f32, {line.get("n", 1), line.get("h", 8), line.get("w", 8), line.get("c", 16)});
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  fill(input.in[0].view(), line.word("data", "real"), seed);
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite sigmoid_suite;
const OpSuite sigmoid_suite = {
    {
        "sigmoid h=5 w=7 c=6",
        "sigmoid data=int seed=2",
        "sigmoid plant=special c=17 seed=3",
        "sigmoid n=3 count=2 seed=4",
        "sigmoid n=0 seed=5",
        "sigmoid n=9 h=1 w=1 c=100 count=7 seed=6",
    },
    build,
};

}  // namespace spinert::cases
