// Cases of count_above: where the first low score lies, scores equal to the threshold, NaN, counts, long lists.
#include "kernels/count_above/count_above.h"

#include <limits>

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

// The first `above` scores fall from 1 to 0.5, the others from just below 0.5 to 0. With gap=1 they rise above it
// again.
Status build(const CaseLine& line, CaseInput& input) {
  const int64_t n = line.get("n", 100), above = line.get("above", n / 2);
  const bool gap = line.get("gap", 0) != 0;
  input.add(DType::f32, {n});
  float* scores = input.in[0].view().f32();
  for (int64_t i = 0; i < n; ++i) {
    const float falling = static_cast<float>(i < above ? above - 1 - i : n - i) / static_cast<float>(n + 1);
    scores[i] = i < above ? 0.5f + 0.5f * falling : 0.499f * falling;
    if (gap && i > above) scores[i] = 0.75f;
  }
  plant(input.in[0].view(), line.word("plant", ""));
  if (const int64_t nan = line.get("nan", -1); nan >= 0) scores[nan] = std::numeric_limits<float>::quiet_NaN();
  if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite count_above_suite;
const OpSuite count_above_suite = {
    {
        "count_above",
        "count_above n=100 above=0",
        "count_above n=100 above=100",
        "count_above n=100 above=17 gap=1",
        "count_above n=1 above=1",
        "count_above n=0",
        "count_above n=1000 above=255",
        "count_above n=1000 above=256",
        "count_above n=1000 above=257 gap=1",
        "count_above n=1000 above=999 threshold=0.75",
        "count_above n=1000 above=900 nan=700",
        "count_above n=1000 above=900 nan=0",
        "count_above n=300 above=200 count=120",
        "count_above n=300 above=200 count=0",
        "count_above n=300 above=200 count=-4",
        "count_above n=300 above=300 count=100000",
        "count_above n=64 plant=special threshold=0",
        "count_above n=64 plant=minus_inf threshold=-3.4028234663852886e38",
    },
    build,
};

}  // namespace spinert::cases
