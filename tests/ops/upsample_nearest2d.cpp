// Cases of upsample_nearest2d: exact; odd coarse sizes, several pictures, NaN, empty.
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t n = line.get("n", 1), h = line.get("h", 4), w = line.get("w", h), c = line.get("c", 16);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  input.add(line.activations(), {n, h, w, c});
  input.add(line.activations(), {n, 2 * h, 2 * w, c});
  for (uint64_t i = 0; i < 2; ++i) fill(input.in[i].view(), line.word("data", "real"), seed + i);
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(1, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite upsample_nearest2d_suite;
const OpSuite upsample_nearest2d_suite = {
    {
        "upsample_nearest2d h=1 c=1",
        "upsample_nearest2d h=5 w=3 c=7 seed=2",
        "upsample_nearest2d n=2 h=3 c=64 data=int seed=3",
        "upsample_nearest2d h=4 c=5 plant=special seed=4",
        "upsample_nearest2d n=3 count=1 seed=5",
        "upsample_nearest2d n=0 seed=6",
        "upsample_nearest2d h=0 seed=7",
        "upsample_nearest2d n=2 h=3 w=5 c=8 plant=special count=9 seed=8",
        "upsample_nearest2d n=2 h=3 w=5 c=9 count=0 seed=9",
    },
    build,
    true,
};

}  // namespace spinert::cases
