// Cases of fpn_merge: maps of one coarse pixel, where every row is a border, odd and equal channel counts, partial
// tiles, several pictures with a count, and the channels of the network on a small map.
#include "kernels/fpn_merge/fpn_merge.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

// h, w: extent of the coarse map. q, c, o: channels of the fine map, of the coarse map, of the output.
Status build(const CaseLine& line, CaseInput& input) {
  const int64_t n = line.get("n", 1), h = line.get("h", 3), w = line.get("w", h);
  const int64_t q = line.get("q", 8), c = line.get("c", 16), o = line.get("o", 16);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string data = line.word("data", "int");
  const int64_t count = line.get("count", -1);
  const DType type = line.activations();
  input.exact = data == "int";
  input.add(type, {n, 2 * h, 2 * w, q});
  input.add(DType::f32, {fpn_merge_weight_rows(q, c), o});
  input.add(DType::f32, {3, 3, o});
  input.add(type, {n, h, w, c});
  for (size_t i = 0; i < input.in.size(); ++i) fill(input.in[i].view(), data, seed + i);
  plant(input.in[kFpnCoarse].view(), line.word("plant", ""));
  if (count >= 0) input.set_count(kFpnFine, static_cast<int32_t>(count));
  return {};
}

}  // namespace

extern const OpSuite fpn_merge_suite;
const OpSuite fpn_merge_suite = {
    {
        "fpn_merge",
        "fpn_merge h=1 w=1 q=1 c=1 o=1 seed=2",
        "fpn_merge h=1 w=5 q=3 c=7 o=5 seed=3",
        "fpn_merge h=6 w=9 q=16 c=32 o=32 data=real seed=4",
        "fpn_merge h=12 w=12 q=16 c=16 o=64 seed=5",
        "fpn_merge h=5 w=5 q=32 c=48 o=72 data=real seed=6",
        "fpn_merge n=3 h=4 w=3 q=16 c=16 o=24 count=2 seed=7",
        "fpn_merge n=2 h=4 w=3 q=16 c=16 count=0 seed=8",
        "fpn_merge n=2 h=2 w=3 q=16 c=16 count=5 seed=9",
        "fpn_merge n=0 h=2 w=3 seed=10",
        "fpn_merge h=5 w=4 q=8 c=16 o=40 output=f32 data=real seed=11",
        "fpn_merge h=4 w=4 q=16 c=16 plant=nan data=real seed=12",
        "fpn_merge h=4 w=4 q=64 c=256 o=256 data=real seed=13",
        "fpn_merge n=3 h=7 w=6 q=32 c=24 o=33 count=2 seed=14",
        "fpn_merge n=2 h=9 w=9 q=32 c=8 o=136 output=f32 seed=15",
        "fpn_merge n=4 h=5 w=3 q=64 c=40 o=24 count=0 seed=16",
        "fpn_merge h=1 w=2 q=32 c=8 o=8 plant=nan data=real seed=17",
        "fpn_merge n=2 h=9 w=8 q=64 c=64 o=264 output=f32 seed=18",
        "fpn_merge n=3 h=5 w=6 q=64 c=64 o=40 count=2 data=real seed=19",
        "fpn_merge h=1 w=1 q=64 c=128 o=8 seed=20",
    },
    build,
    true,
};

}  // namespace spinert::cases
