// Cases of add: exact for every kernel, also for NaN and infinities.
#include "kernels/add/add.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const Shape shape{line.get("n", 1), line.get("h", 8), line.get("w", 8), line.get("c", 16)};
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  for (uint64_t i = 0; i < 2; ++i) {
    input.add(line.activations(), shape);
    fill(input.in[i].view(), line.word("data", "real"), seed + i);
  }
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite add_suite;
const OpSuite add_suite = {
    {
        "add h=5 w=7 c=3",
        "add data=int seed=2",
        "add plant=special c=33 seed=3",
        "add n=3 count=1 seed=4",
        "add n=0 seed=5",
        "add n=2 h=3 w=3 c=8 count=0 seed=6",
        "add n=2 h=3 w=3 c=40 count=7 plant=special seed=7",
    },
    build,
    true,
};

}  // namespace spinert::cases
