// Cases of relu: both limits, signed zero, NaN and infinities, empty and counted tensors.
#include "kernels/relu/relu.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(line.activations(), {line.get("n", 1), line.get("h", 8), line.get("w", 8), line.get("c", 16)});
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  fill(input.in[0].view(), line.word("data", "real"), seed);
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite relu_suite;
const OpSuite relu_suite = {
    {
        "relu h=5 w=7 c=3",
        "relu h=5 w=7 c=3 max=6 data=int seed=2",
        "relu h=9 w=9 c=33 plant=special seed=3",
        "relu h=9 w=9 c=33 plant=special max=6 seed=4",
        "relu n=3 count=2 seed=5",
        "relu n=3 count=99 seed=6",
        "relu n=3 count=-5 seed=7",
        "relu n=0 seed=8",
        "relu c=0 seed=9",
    },
    build,
    true,
};

}  // namespace spinert::cases
