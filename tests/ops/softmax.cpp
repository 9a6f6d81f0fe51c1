// Cases of softmax: bit-equal everywhere; rows with NaN, infinities, equal and far values, one class.
#include "kernels/softmax/softmax.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(DType::f32, {line.get("n", 4), line.get("c", 2)});
  fill(input.in[0].view(), line.word("data", "real"), static_cast<uint64_t>(line.get("seed", 1)), line.get("range", 4));
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite softmax_suite;
const OpSuite softmax_suite = {
    {
        "softmax n=1000 c=2",
        "softmax n=7 c=91 seed=2",
        "softmax n=5 c=1 seed=3",
        "softmax n=40 c=3 data=int range=200 seed=4",
        "softmax n=50 c=5 plant=special seed=5",
        "softmax n=9 c=3 count=4 seed=6",
        "softmax n=0 c=2 seed=7",
        "softmax n=130 c=7 count=129 data=int seed=8",
    },
    build,
};

}  // namespace spinert::cases
