// Cases of max_pool2d: borders, channel tails around every vector width, NaN anywhere in a window, all -Inf.
#include "kernels/max_pool2d/max_pool2d.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(line.activations(),
            {line.get("n", 1), line.get("h", 8), line.get("w", line.get("h", 8)), line.get("c", 16)},
            line.quantisation("x"));
  fill(input.in[0].view(), line.word("data", "real"), static_cast<uint64_t>(line.get("seed", 1)));
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite max_pool2d_suite;
const OpSuite max_pool2d_suite = {
    {
        "max_pool2d h=1 c=1",
        "max_pool2d h=16 c=64 seed=2",
        "max_pool2d h=17 w=23 c=64 seed=3",
        "max_pool2d h=9 w=5 c=3 seed=4",
        "max_pool2d h=7 c=7 seed=5",
        "max_pool2d h=7 c=9 seed=6",
        "max_pool2d h=7 c=15 seed=7",
        "max_pool2d h=7 c=17 seed=8",
        "max_pool2d h=7 c=31 seed=9",
        "max_pool2d h=7 c=33 seed=10",
        "max_pool2d h=7 c=65 seed=11",
        "max_pool2d h=7 c=127 seed=12",
        "max_pool2d h=8 c=16 kernel=1 stride=2 padding=0 seed=13",
        "max_pool2d h=9 c=20 kernel=2 stride=2 padding=0 seed=14",
        "max_pool2d h=9 c=20 kernel=5 stride=1 padding=2 seed=15",
        "max_pool2d h=12 c=67 plant=special seed=16",
        "max_pool2d h=12 c=8 plant=minus_inf seed=17",
        "max_pool2d n=3 h=7 c=16 count=2 seed=18",
        "max_pool2d n=0 c=16 seed=19",
        "max_pool2d n=1 c=0 seed=20",
        "max_pool2d h=9 w=11 c=24 kernel=5 stride=2 padding=2 seed=21",
        "max_pool2d n=2 h=5 w=6 c=8 plant=special count=9 seed=22",
        "max_pool2d n=2 h=5 c=16 count=0 seed=23",
        "max_pool2d dtype=u8 h=17 w=23 c=64 xzero=3 seed=24",
        "max_pool2d dtype=u8 h=9 w=5 c=3 seed=25",
        "max_pool2d dtype=u8 h=8 c=16 kernel=1 stride=2 padding=0 seed=26",
        "max_pool2d dtype=u8 n=3 h=9 c=67 kernel=5 stride=1 padding=2 count=2 seed=27",
        "max_pool2d dtype=u8 n=0 c=16 seed=28",
    },
    build,
    true,
};

}  // namespace spinert::cases
