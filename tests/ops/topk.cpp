// Cases of topk: both uses, ties across the cut, constant scores, fewer scores than k, NaN and infinities, thresholds
// that equal a score, empty levels.
#include "kernels/topk/topk.h"

#include <limits>
#include <sstream>

#include "tests/ops/op_case.h"
#include "tests/ops/plant.h"

namespace spinert::cases {
namespace {

void fill_scores(const CaseLine& line, const Tensor& scores, uint64_t seed) {
  const std::string data = line.word("data", "real");
  if (data == "constant") {
    std::fill(scores.f32(), scores.f32() + scores.elements(), 0.25f);
  } else if (data == "zeros") {  // of both signs: equal
    for (int64_t i = 0; i < scores.elements(); ++i) scores.f32()[i] = i % 3 == 0 ? -0.0f : 0.0f;
  } else if (data == "nan") {
    std::fill(scores.f32(), scores.f32() + scores.elements(), std::numeric_limits<float>::quiet_NaN());
  } else {
    fill(scores, data, seed, line.get("range", 4));
  }
  plant(scores, line.word("plant", ""));
}

Status build(const CaseLine& line, CaseInput& input) {
  const auto& params = *static_cast<const TopkParams*>(input.params.get());
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  input.outputs = 4;
  if (params.by_class) {
    input.add(DType::f32, {line.get("r", 10), line.get("c", 2)});
    fill_scores(line, input.in[0].view(), seed);
    if (const int64_t count = line.get("count", -1); count != -1) input.set_count(0, static_cast<int32_t>(count));
    return {};
  }
  // sides=16,8,0: one level per number, each side x side x a scores.
  std::stringstream sides(line.word("sides", "8"));
  const int64_t anchors = line.get("a", 3);
  for (std::string side; std::getline(sides, side, ',');) {
    input.add(DType::f32, {1, std::stoll(side), std::stoll(side), anchors});
    fill_scores(line, input.in.back().view(), seed + input.in.size());
  }
  return {};
}

}  // namespace

extern const OpSuite topk_suite;
const OpSuite topk_suite = {
    {
        "topk k=10",
        "topk k=100 sides=32,16,8,4,2 seed=2",
        "topk k=1 sides=1 a=1 seed=3",
        "topk k=192 sides=8 seed=4",
        "topk k=500 sides=8,0,3 seed=5",
        "topk k=37 sides=40,20 data=int seed=6",
        "topk k=37 sides=40,20 data=constant seed=7",
        "topk k=50 sides=16,9 data=int range=1 plant=special seed=8",
        "topk k=400 sides=16 plant=special seed=9",
        "topk k=50 sides=4 plant=minus_inf seed=10",
        "topk k=50 sides=16 threshold=0.5 on_sigmoid=1 seed=11",
        "topk k=50 sides=16 threshold=0.5 on_sigmoid=1 data=int seed=12",
        "topk k=50 sides=16 threshold=0.7 on_sigmoid=1 strict=1 plant=nan seed=13",
        "topk k=20 by_class=1 r=100 c=2 threshold=0.25 seed=14",
        "topk k=100 by_class=1 r=100 c=7 threshold=0 data=int seed=15",
        "topk k=100 by_class=1 r=100 c=7 threshold=0 strict=1 data=int seed=16",
        "topk k=10 by_class=1 r=30 c=3 count=12 seed=17",
        "topk k=10 by_class=1 r=30 c=3 count=0 seed=18",
        "topk k=10 by_class=1 r=30 c=3 count=-7 seed=19",
        "topk k=10 by_class=1 r=30 c=3 count=1000 plant=nan seed=20",
        "topk k=10 by_class=1 r=0 c=3 seed=21",
        "topk k=10 by_class=1 r=5 c=1 seed=22",
        "topk k=3 by_class=1 r=60 c=2 data=constant threshold=0.25 seed=23",
        "topk k=3 by_class=1 r=60 c=2 data=constant threshold=0.25 strict=1 seed=24",
        "topk k=1000 sides=120,60,30 seed=25",
        // Groups that one block sorts whole, and the first that it does not.
        "topk k=300 by_class=1 r=2048 c=2 seed=26",
        "topk k=2048 by_class=1 r=2048 c=2 data=int seed=27",
        "topk k=300 by_class=1 r=2049 c=3 seed=28",
        "topk k=30 sides=16 data=zeros seed=29",
        "topk k=30 sides=16,9 data=nan seed=30",
        // Several blocks for a group; ties across the cut are settled by the digits of the index.
        "topk k=1000 sides=70 data=constant seed=31",
        "topk k=1000 sides=70,41 data=int range=1 plant=special seed=32",
        "topk k=1000 sides=70,3 data=zeros threshold=0 seed=33",
        "topk k=1 sides=70 data=constant seed=34",
        "topk k=100 sides=70,0,1 data=nan seed=35",
        "topk k=700 sides=150 a=3 data=int range=100000 seed=36",
        "topk k=700 sides=70 plant=minus_inf seed=37",
        "topk k=700 sides=70 plant=minus_inf threshold=-1e30 seed=38",
        "topk k=100 by_class=1 r=9000 c=3 count=8191 threshold=0.99 seed=39",
        "topk k=100 by_class=1 r=9000 c=3 count=0 seed=40",
        "topk k=100 by_class=1 r=9000 c=3 count=-1 plant=special seed=41",
        "topk k=100 by_class=1 r=9000 c=3 count=70000 plant=special seed=42",
        "topk k=3 by_class=1 r=9000 c=1 seed=43",
        // More than a block sorts in shared memory, and more than there are.
        "topk k=2048 sides=40 seed=44",
        "topk k=2049 sides=40 data=int seed=45",
        "topk k=5000 sides=41,40,5 plant=nan seed=46",
        "topk k=3000 sides=40 data=constant threshold=0.5 on_sigmoid=1 seed=47",
        // A detector's levels at full size.
        "topk k=1000 sides=256,128,64,32,16 plant=special seed=48",
    },
    build,
};

}  // namespace spinert::cases
