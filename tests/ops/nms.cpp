// Cases of nms: overlapping clusters, IoU planted at and around the threshold, zero areas, ties of scores, hostile
// boxes and counts, more kept than asked for.
#include "kernels/nms/nms.h"

#include "tests/ops/boxes.h"

namespace spinert::cases {
namespace {

Status build(const CaseLine& line, CaseInput& input) {
  const int64_t groups = line.get("g", 1), k = line.get("k", 20), count = line.get("count", k);
  const auto seed = static_cast<uint64_t>(line.get("seed", 1));
  const std::string kind = line.word("boxes", "cluster"), scores = line.word("scores", "falling");
  input.outputs = 4;
  input.add(DType::f32, {groups, k, 4});
  input.add(DType::f32, {groups, k});
  input.add(DType::i32, {groups});
  fill(input.in[1].view(), "real", seed + 1);
  for (int64_t g = 0; g < groups; ++g) {
    fill_boxes(input.in[0].view().f32() + g * k * 4, k, kind, seed + static_cast<uint64_t>(g), 1024);
    float* score = input.in[1].view().f32() + g * k;
    for (int64_t j = 0; j < k; ++j) {
      // Groups share most scores when tied, so that the merge must fall back on group and index.
      const float falling = 1.0f - static_cast<float>(j) / static_cast<float>(k);
      if (scores == "falling") score[j] = falling - static_cast<float>(g) * 1e-3f;
      if (scores == "tied") score[j] = static_cast<float>(k - j / 4);
      if (scores == "wild") {  // in no order, few values, so that heads of groups meet equal and NaN
        constexpr float kWild[] = {std::numeric_limits<float>::quiet_NaN(),
                                   1.0f,
                                   2.0f,
                                   -0.0f,
                                   0.0f,
                                   -1.0f,
                                   std::numeric_limits<float>::infinity(),
                                   -std::numeric_limits<float>::infinity()};
        score[j] = kWild[random_bits(seed + 2, static_cast<uint64_t>(g * k + j)) % 8];
      }
      if (scores == "nan") score[j] = j % 5 == 0 ? std::numeric_limits<float>::quiet_NaN() : falling;
    }
    input.in[2].view().i32()[g] = static_cast<int32_t>(g % 2 == 0 ? count : count / 2);
  }
  return {};
}

}  // namespace

extern const OpSuite nms_suite;
const OpSuite nms_suite = {
    {
        "nms k=1",
        "nms k=17 seed=2",
        "nms g=5 k=100 threshold=0.7 max_output=200 seed=3",
        "nms g=5 k=200 boxes=random threshold=0.2 max_output=1000 seed=4",
        "nms g=3 k=200 boxes=random threshold=0.5 max_output=30 scores=tied seed=5",
        "nms g=2 k=96 boxes=planted threshold=0.5 max_output=100 seed=6",
        "nms g=2 k=40 boxes=point threshold=0 max_output=100 seed=7",
        "nms g=2 k=40 boxes=same threshold=1 max_output=100 seed=8",
        "nms g=2 k=40 boxes=same threshold=0.99 max_output=100 seed=9",
        "nms g=2 k=64 boxes=hostile threshold=0.5 max_output=200 seed=10",
        "nms g=2 k=64 boxes=hostile threshold=0 max_output=200 seed=11",
        "nms g=2 k=33 boxes=random scores=random max_output=50 seed=12",
        "nms g=2 k=33 boxes=random scores=nan max_output=50 seed=13",
        "nms g=4 k=50 boxes=random threshold=1 max_output=7 scores=tied seed=14",
        "nms g=2 k=20 count=0 seed=15",
        "nms g=2 k=20 count=-8 seed=16",
        "nms g=2 k=20 count=1000 seed=17",
        "nms g=0 k=20 seed=18",
        "nms g=2 k=0 seed=19",
        "nms g=2 k=1000 boxes=random threshold=0.7 max_output=1000 seed=20",
        // Chains of suppression through whole words of a mask and across them.
        "nms k=64 boxes=chain threshold=0.5 max_output=100 seed=21",
        "nms g=2 k=300 boxes=chain threshold=0.5 max_output=100 seed=22",
        "nms g=2 k=65 boxes=chain threshold=0.2 max_output=100 seed=23",
        "nms g=3 k=128 boxes=same threshold=0 max_output=5 seed=24",
        "nms g=2 k=1500 boxes=cluster threshold=0.6 max_output=700 seed=25",
        "nms g=2 k=1200 boxes=point threshold=0.5 max_output=1100 scores=tied seed=26",
        "nms k=2300 boxes=random threshold=0.9 max_output=3000 count=2177 seed=27",
        // The merge where scores are in no order, with NaN at the heads of the groups.
        "nms g=5 k=40 boxes=point threshold=1 max_output=1000 scores=wild seed=28",
        "nms g=5 k=40 boxes=point threshold=1 max_output=90 scores=wild seed=29",
        "nms g=7 k=3 boxes=point threshold=1 max_output=100 scores=wild seed=30",
        "nms g=7 k=3 count=1 boxes=point threshold=1 max_output=100 scores=wild seed=31",
        "nms g=6 k=9 boxes=point threshold=1 max_output=20 scores=nan seed=32",
        // A detector's levels at full size.
        "nms g=5 k=1000 boxes=random threshold=0.7 max_output=1000 seed=33",
    },
    build,
};

}  // namespace spinert::cases
