// Cases of global_average_pool: exact with small integers, real numbers, channel tails, one pixel, NaN.
#include "kernels/global_average_pool/global_average_pool.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(line.activations(),
            {line.get("n", 1), line.get("h", 7), line.get("w", line.get("h", 7)), line.get("c", 16)},
            line.quantisation("x"));
  const std::string data = line.word("data", "real");
  fill(input.in[0].view(), data, static_cast<uint64_t>(line.get("seed", 1)));
  input.exact = data == "int";
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite global_average_pool_suite;
const OpSuite global_average_pool_suite = {
    {
        "global_average_pool c=2048",
        "global_average_pool h=4 c=33 data=int seed=2",
        "global_average_pool h=8 w=2 c=700 data=int seed=3",
        "global_average_pool h=1 c=5 seed=4",
        "global_average_pool h=3 w=5 c=257 seed=5",
        "global_average_pool c=20 plant=nan seed=6",
        "global_average_pool n=3 count=2 c=300 seed=7",
        "global_average_pool n=0 seed=8",
        "global_average_pool c=0 seed=9",
        "global_average_pool n=2 h=3 w=4 c=264 seed=10",
        "global_average_pool n=3 h=2 c=8 count=9 data=int seed=11",
        "global_average_pool dtype=u8 h=4 c=33 data=int xscale=0.5 xzero=7 seed=12",
        "global_average_pool dtype=u8 n=3 count=2 c=300 xscale=0.03 xzero=128 seed=13",
        "global_average_pool dtype=u8 n=0 seed=14",
    },
    build,
    true,
};

}  // namespace spinert::cases
