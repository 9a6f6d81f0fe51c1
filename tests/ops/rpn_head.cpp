// Cases of rpn_head: one to eight maps, maps of one pixel and of partial tiles, odd channel counts, more anchors than
// the network has, and the shape of the network in small. plant: hostile values in the first map.
#include "kernels/rpn_head/rpn_head.h"

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"
#include "tests/ops/round.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t c = line.get("c", 16), k = line.get("k", 16), a = line.get("a", 3), levels = line.get("levels", 1);
  int64_t h = line.get("h", 6), w = line.get("w", h);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string data = line.word("data", "int");
  const DType type = line.activations();
  input.exact = data == "int";
  input.outputs = static_cast<size_t>(2 * levels);
  input.add(type, {1, h, w, c});
  input.add(DType::f32, {3, 3, c, k});
  input.add(DType::f32, {k});
  input.add(DType::f32, {1, 1, k, a});
  input.add(DType::f32, {a});
  input.add(DType::f32, {1, 1, k, 4 * a});
  input.add(DType::f32, {4 * a});
  for (int64_t l = 1; l < levels; ++l) {
    h = (h + 1) / 2;
    w = (w + 1) / 2;
    input.add(type, {1, h, w, c});
  }
  for (size_t i = 0; i < input.in.size(); ++i) {
    fill(input.in[i].view(), data, seed + i);
    if (i < kRpnMoreMaps) round_to(input.in[i].view(), type);
  }
  plant(input.in[kRpnMap0].view(), line.word("plant", ""));
  return {};
}

}  // namespace

extern const OpSuite rpn_head_suite;
const OpSuite rpn_head_suite = {
    {
        "rpn_head",
        "rpn_head h=1 w=1 c=1 k=1 a=1 seed=2",
        "rpn_head h=5 w=7 c=3 k=5 a=2 levels=2 seed=3",
        "rpn_head h=12 w=14 c=32 k=32 levels=5 seed=4",
        "rpn_head h=13 w=11 c=16 k=24 levels=8 seed=5",
        "rpn_head h=9 w=17 c=48 k=40 levels=3 data=real seed=6",
        "rpn_head h=16 w=16 c=16 k=256 levels=2 data=real seed=7",
        "rpn_head h=3 w=40 c=64 k=64 a=1 data=real seed=8",
        "rpn_head h=4 w=5 c=16 k=48 a=9 levels=2 seed=9",
        "rpn_head h=4 w=5 c=8 k=264 a=3 data=real seed=10",
        "rpn_head h=3 w=3 c=16 k=16 a=70 seed=11",
        "rpn_head h=0 w=6 c=16 k=16 seed=12",
        "rpn_head h=7 w=9 c=16 k=16 plant=nan data=real seed=13",
        "rpn_head h=8 w=8 c=256 k=256 data=real seed=14",
        "rpn_head h=40 w=33 c=8 k=8 levels=3 seed=15",
        "rpn_head h=25 w=24 c=64 k=48 levels=4 seed=16",
        "rpn_head h=4 w=5 c=64 k=130 a=9 data=real seed=17",
        // Winograd on the cpu: partial tiles on two sides, several groups of head outputs, more tiles than a block.
        "rpn_head h=8 w=13 c=48 k=130 a=9 levels=3 data=real seed=18",
        "rpn_head h=33 w=31 c=32 k=40 a=3 levels=5 data=real seed=19",
        "rpn_head h=7 w=8 c=32 k=16 a=70 data=real seed=20",
        "rpn_head h=12 w=8 c=32 k=33 a=2 levels=2 plant=nan data=real seed=21",
        "rpn_head h=16 w=12 c=64 k=72 levels=2 data=real dtype=bf16 seed=22",
    },
    build,
    true,
};

}  // namespace spinert::cases
