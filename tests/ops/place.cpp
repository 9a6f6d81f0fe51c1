// Cases of place: crop, pad and both, odd differences, one pixel, empty slice.
#include "kernels/place/place.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  input.add(DType::f32, {1, line.get("h", 8), line.get("w", 8), 1});
  fill(input.in[0].view(), line.word("data", "real"), static_cast<uint64_t>(line.get("seed", 1)));
  plant(input.in[0].view(), line.word("plant", ""));
  return {};
}

}  // namespace

extern const OpSuite place_suite;
const OpSuite place_suite = {
    {
        "place size=8",
        "place h=5 w=3 size=8 seed=2",
        "place h=13 w=11 size=8 seed=3",
        "place h=13 w=3 size=8 seed=4",
        "place h=4 w=15 size=8 seed=5",
        "place h=1 w=1 size=7 seed=6",
        "place h=9 w=9 size=1 seed=7",
        "place h=0 w=5 size=4 seed=8",
        "place h=6 w=6 size=9 plant=special seed=9",
    },
    build,
};

}  // namespace spinert::cases
